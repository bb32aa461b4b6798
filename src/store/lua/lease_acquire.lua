#!lua flags=allow-oom
-- lease_acquire: tries for a partition. Only this script makes epochs.
-- KEYS: 1 partition
-- ARGV: 1 node, 2 nonce, 3 ms to hold it, 4 epoch to be above (what a refused attach named, or 0)
-- Returns: {1, epoch}; or {0, holder, ms left} while another holds it, or while it is kept for the node it was given to
local have = redis.call('HMGET', KEYS[1], 'nonce', 'node', 'epoch', 'expires_ms', 'next', 'next_until_ms')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local expires, above = tonumber(have[4] or '0'), tonumber(ARGV[4])
local epoch = tonumber(have[3] or '0')
local ours = have[1] == ARGV[2] and expires > now
if expires > now and not ours then
  return { 0, have[2], string.format('%.0f', expires - now) }
end
local kept = tonumber(have[6] or '0')
if not ours and have[5] and have[5] ~= ARGV[1] and kept > now then
  return { 0, have[5], string.format('%.0f', kept - now) }
end
if not ours or above >= epoch then
  epoch = math.max(epoch + 1, now, above + 1)
end
local text = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'nonce', ARGV[2], 'epoch', text,
  'expires_ms', string.format('%.0f', now + tonumber(ARGV[3])))
redis.call('HDEL', KEYS[1], 'next', 'next_until_ms')
return { 1, text }
