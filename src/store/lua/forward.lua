#!lua flags=allow-oom
-- forward: appends a tenant's events to one partition of the feed, each at most once. The mark is kept in the feed's
-- slot: what it covers is in the feed, so a late or repeated call appends nothing twice.
-- KEYS: 1 feed partition, 2 its marks
-- ARGV: 1 tenant, 2 epoch, 3… per event: outbox id's ms, its sequence part, number of fields, name, value, …
-- Returns: events appended. Errors: FENCED (a later owner forwarded already)
local mark = redis.call('HGET', KEYS[2], ARGV[1])
local epoch, ms, seq = 0, 0, -1
if mark then
  epoch, ms, seq = string.match(mark, '^(%d+) (%d+)-(%d+)$')
  epoch, ms, seq = tonumber(epoch), tonumber(ms), tonumber(seq)
end
if tonumber(ARGV[2]) < epoch then
  return redis.error_reply('FENCED epoch ' .. string.format('%.0f', epoch) .. ' forwarded, the caller is at ' .. ARGV[2])
end
local appended, at = 0, 3
while at <= #ARGV do
  local this_ms, this_seq, n = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]) * 2
  if this_ms > ms or (this_ms == ms and this_seq > seq) then
    redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 3, at + 2 + n))
    ms, seq, appended = this_ms, this_seq, appended + 1
  end
  at = at + 3 + n
end
if seq >= 0 then
  redis.call('HSET', KEYS[2], ARGV[1], string.format('%s %.0f-%.0f', ARGV[2], ms, seq))
end
return appended
