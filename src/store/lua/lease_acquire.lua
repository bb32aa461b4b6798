#!lua flags=allow-oom
-- lease_acquire: tries for a partition. Only this script makes epochs.
-- KEYS: 1 leases of its group
-- ARGV: 1 partition, 2 node, 3 nonce, 4 ms to hold it, 5 epoch to be above (what a refused attach named, or 0)
-- Returns: {1, epoch}; or {0, holder, ms left} while another holds it, or while it is kept for the node it was given to
local function field(name)
  return ARGV[1] .. ':' .. name
end
local have = redis.call('HMGET', KEYS[1], field('nonce'), field('node'), field('epoch'), field('expires_ms'),
  field('next'), field('next_until_ms'))
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local expires, above = tonumber(have[4] or '0'), tonumber(ARGV[5])
local epoch = tonumber(have[3] or '0')
local ours = have[1] == ARGV[3] and expires > now
if expires > now and not ours then
  return { 0, have[2], string.format('%.0f', expires - now) }
end
local kept = tonumber(have[6] or '0')
if not ours and have[5] and have[5] ~= ARGV[2] and kept > now then
  return { 0, have[5], string.format('%.0f', kept - now) }
end
if not ours or above >= epoch then
  epoch = math.max(epoch + 1, now, above + 1)
end
local text = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], field('node'), ARGV[2], field('nonce'), ARGV[3], field('epoch'), text,
  field('expires_ms'), string.format('%.0f', now + tonumber(ARGV[4])))
redis.call('HDEL', KEYS[1], field('next'), field('next_until_ms'))
return { 1, text }
