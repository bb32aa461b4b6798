#!lua flags=allow-oom
-- lease_renew: holds partitions longer. One that ran out but was taken by nobody is still ours: its epoch did not move.
-- KEYS: 1 leases of their group
-- ARGV: 1 nonce, 2 ms to hold them, then partition and epoch of each
-- Returns: for each 1, or 0 when the lease is lost
local names = {}
for at = 3, #ARGV, 2 do
  names[#names + 1] = ARGV[at] .. ':nonce'
  names[#names + 1] = ARGV[at] .. ':epoch'
end
local have = redis.call('HMGET', KEYS[1], unpack(names))
local time = redis.call('TIME')
local until_ms = string.format('%.0f',
  tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[2]))
local kept, longer = {}, {}
for at = 3, #ARGV, 2 do
  local ours = have[at - 2] == ARGV[1] and have[at - 1] == ARGV[at + 1]
  kept[#kept + 1] = ours and 1 or 0
  if ours then
    longer[#longer + 1] = ARGV[at] .. ':expires_ms'
    longer[#longer + 1] = until_ms
  end
end
if #longer > 0 then
  redis.call('HSET', KEYS[1], unpack(longer))
end
return kept
