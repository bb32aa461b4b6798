#!lua
-- emit: change events become rows, write-backs, outbox entries and a cursor, in one step. Grows, so a full Redis
-- refuses it whole before it begins (no allow-oom).
-- KEYS: as include/commit.lua
-- ARGV: 1 nonce, 2 epoch, 3 step, 4 unused, 5… the lists of include/commit.lua
-- Returns: as include/commit.lua. Errors: FENCED, REWOUND, OOM
--include fence
--include commit
local refused = fence(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
return commit(5)
