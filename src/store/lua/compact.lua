#!lua flags=allow-oom
-- compact: log entries of records become one fold each, by explicit ids. Drains, so it runs on a full Redis.
-- KEYS: as include/commit.lua
-- ARGV: 1 nonce, 2 epoch, 3 step, 4 unused, 5… the lists of include/commit.lua
-- Returns: as include/commit.lua. Errors: FENCED, REWOUND
--include fence
--include commit
local refused = fence(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
return commit(5)
