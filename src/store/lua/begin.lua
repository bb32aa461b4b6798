#!lua flags=allow-oom
-- begin: stores the intent of a batch before it is sent, drops intents that are dealt with, raises the step.
-- KEYS: 1 owner, 2 batches
-- ARGV: 1 nonce, 2 epoch, 3 step, 4 batch, 5 intent, 6… batches that are dealt with
-- Returns: the new step. Errors: FENCED, REWOUND
--include fence
local refused = fence(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
for from = 6, #ARGV, 500 do
  redis.call('HDEL', KEYS[2], unpack(ARGV, from, math.min(from + 499, #ARGV)))
end
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
return redis.call('HINCRBY', KEYS[1], 'step', 1)
