#!lua flags=allow-oom
-- lease_release: gives a partition back; its epoch stays, so that the next holder's is higher.
-- KEYS: 1 leases of its group
-- ARGV: 1 partition, 2 nonce, 3 epoch, 4 node that should take it (empty: any), 5 ms for which only that node may
-- Returns: 1, or 0 when the lease was not ours any more
local function field(name)
  return ARGV[1] .. ':' .. name
end
local have = redis.call('HMGET', KEYS[1], field('nonce'), field('epoch'))
if have[1] ~= ARGV[2] or have[2] ~= ARGV[3] then
  return 0
end
redis.call('HSET', KEYS[1], field('expires_ms'), '0')
redis.call('HDEL', KEYS[1], field('nonce'), field('node'))
if ARGV[4] ~= '' then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('HSET', KEYS[1], field('next'), ARGV[4],
    field('next_until_ms'), string.format('%.0f', now + tonumber(ARGV[5])))
end
return 1
