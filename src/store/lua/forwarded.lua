#!lua flags=allow-oom
-- forwarded: deletes outbox entries that the feed has. Raises no step: a rollback brings back only what the marks drop.
-- KEYS: 1 owner, 2 outbox
-- ARGV: 1 nonce, 2 epoch, 3… outbox ids
-- Returns: entries deleted. Errors: FENCED
--include fence
local refused = fence(KEYS[1], ARGV[1], ARGV[2], nil)
if refused then
  return refused
end
local deleted = 0
for from = 3, #ARGV, 500 do
  deleted = deleted + redis.call('XDEL', KEYS[2], unpack(ARGV, from, math.min(from + 499, #ARGV)))
end
return deleted
