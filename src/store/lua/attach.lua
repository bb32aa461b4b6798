#!lua flags=allow-oom
-- attach: takes a tenant over. A new epoch at step 0; the owner before is fenced off from here on.
-- An empty log whose newest id is ahead of the clock, where all that is appended would be refused, begins anew; what was
-- ever added to it still counts.
-- KEYS: 1 owner, 2 batches, 3 cursors, 4 changes, 5 backfill
-- ARGV: 1 node, 2 nonce, 3 partition epoch, 4 buckets if the tenant is new, 5 format of this version,
--       6 ms that an id may be ahead
-- Returns: {epoch, now in ms, buckets, {batch, intent, …}, {topic, place, …}}
-- Errors: OLDGEN n (a higher partition epoch n was here), NEWER n (the state has the later format n)
--include stream
local old = redis.call('HMGET', KEYS[1], 'epoch', 'partition_epoch', 'buckets', 'format')
if old[4] and tonumber(old[4]) > tonumber(ARGV[5]) then
  return redis.error_reply('NEWER ' .. old[4])
end
if old[2] and tonumber(old[2]) > tonumber(ARGV[3]) then
  return redis.error_reply('OLDGEN ' .. old[2])
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for at = 4, 5 do
  local length, newest, added = unpack(stream(KEYS[at]))
  if length == 0 and tonumber(string.match(newest, '^%d+')) > now + tonumber(ARGV[6]) then
    redis.call('DEL', KEYS[at])
    local first = redis.call('XADD', KEYS[at], string.format('%.0f-0', now), 'a', 'b')
    redis.call('XDEL', KEYS[at], first)
    redis.call('XSETID', KEYS[at], first, 'ENTRIESADDED', string.format('%.0f', added), 'MAXDELETEDID', first)
  end
end
local epoch = string.format('%.0f', math.max(tonumber(old[1] or '0') + 1, now))
local buckets = old[3] or ARGV[4]
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'nonce', ARGV[2], 'epoch', epoch, 'step', '0',
  'partition_epoch', ARGV[3], 'buckets', buckets, 'format', ARGV[5], 'attached_ms', string.format('%.0f', now))
return {
  epoch, string.format('%.0f', now), buckets, redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]),
}
