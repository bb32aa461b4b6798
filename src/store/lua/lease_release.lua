#!lua flags=allow-oom
-- lease_release: gives a partition back; its epoch stays, so that the next holder's is higher.
-- KEYS: 1 partition
-- ARGV: 1 nonce, 2 epoch, 3 node that should take it (empty: any), 4 ms for which only that node may
-- Returns: 1, or 0 when the lease was not ours any more
local have = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if have[1] ~= ARGV[1] or have[2] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'expires_ms', '0')
redis.call('HDEL', KEYS[1], 'nonce', 'node')
if ARGV[3] ~= '' then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('HSET', KEYS[1], 'next', ARGV[3], 'next_until_ms', string.format('%.0f', now + tonumber(ARGV[4])))
end
return 1
