#!lua flags=allow-oom
-- settle: outcomes of a batch, drops and dead letters, in one step. Drains, so it runs on a full Redis.
-- KEYS: as include/commit.lua
-- ARGV: 1 nonce, 2 epoch, 3 step, 4 batch (empty: none), 5… the lists of include/commit.lua
-- Returns: as include/commit.lua. Errors: FENCED, REWOUND, NOBATCH (the batch's intent is not there)
--include fence
--include commit
local refused = fence(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
if ARGV[4] ~= '' and redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0 then
  return redis.error_reply('NOBATCH there is no intent of batch ' .. ARGV[4])
end
return commit(5)
