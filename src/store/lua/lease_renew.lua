#!lua flags=allow-oom
-- lease_renew: holds a partition longer. One that ran out but was taken by nobody is still ours: its epoch did not move.
-- KEYS: 1 partition
-- ARGV: 1 nonce, 2 epoch, 3 ms to hold it
-- Returns: 1, or 0 when the lease is lost
local have = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if have[1] ~= ARGV[1] or have[2] ~= ARGV[2] then
  return 0
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], 'expires_ms', string.format('%.0f', now + tonumber(ARGV[3])))
return 1
