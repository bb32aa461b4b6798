#!lua flags=allow-oom
-- backpressure: tells producers ok, slow or stop. Raises no step: nothing is decided by it.
-- KEYS: 1 owner, 2 backpressure
-- ARGV: 1 nonce, 2 epoch, 3 level
-- Returns: OK. Errors: FENCED
--include fence
local refused = fence(KEYS[1], ARGV[1], ARGV[2], nil)
if refused then
  return refused
end
return redis.call('SET', KEYS[2], ARGV[3])
