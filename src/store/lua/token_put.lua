#!lua flags=allow-oom
-- token_put: stores sealed credentials if nobody stored newer ones.
-- KEYS: 1 token
-- ARGV: 1 version that the caller read (0: none), 2 sealed credentials
-- Returns: the new version. Errors: MOVED_ON n (version n is stored)
local have = redis.call('HGET', KEYS[1], 'version') or '0'
if have ~= ARGV[1] then
  return redis.error_reply('MOVED_ON ' .. have)
end
redis.call('HSET', KEYS[1], 'sealed', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'version', 1)
