#!lua flags=allow-oom
-- heartbeat: says that a node lives and lists all that do, by the clock of Redis.
-- KEYS: 1 nodes
-- ARGV: 1 node, 2 ms of silence after which a node is forgotten
-- Returns: {node, ms since its last heartbeat, …}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2])))
local members = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #members, 2 do
  members[i] = string.format('%.0f', math.max(0, now - tonumber(members[i])))
end
return members
