-- commit(at): carries out the lists of one commit, read from ARGV[at] on, and raises the step.
--
-- KEYS: 1 owner, 2 batches, 3 changes, 4 backfill, 5 compacted, 6 dead, 7 seen:{day}, 8 outbox, 9 cursors,
--       10 counters, 11 questions, 12… buckets of records and ids, named in ARGV by their position in KEYS
-- ARGV from `at`: lists, each led by its length n (… stands for the n items)
--   append     n × (fields, name, value, …)      entries for the changes log
--   outbox     n × (fields, name, value, …)      events
--   done       n × batch                         intents that are dealt with
--   left       n × (batch, intent)               intents that stay, rewritten
--   deletes    changes: n × 'id id …'; backfill: the same; at most 500 ids a text
--   rows       n × (bucket, pairs, field, row, …)
--   removals   n × (bucket, fields, field, …)    rows, and ids of the index
--   links      n × (bucket, pairs, id, holder, …)
--   compacted  remove: n × field; put: n × (field, fold)
--   dead       remove: n × field; put: n × (field, letter)
--   seen       n × (key, content), and if n > 0: seconds to keep, most keys a day
--   cursors    n × (topic, place)
--   questions  remove: n × field; put: n × (ms when it is due, field)
--   counters   n × (name, delta)
-- Returns {entries deleted, {id, holder, …} of links refused because another key holds the id}.
--
-- XADD is the only command here that can fail (a producer can exhaust a stream's ids), so it comes first: a commit
-- happens whole or not at all.
local SLICE = 500
local function commit(at)
  local function count()
    at = at + 1
    return tonumber(ARGV[at - 1])
  end
  local function slices(command, key, n)
    local last = at + n - 1
    while at <= last do
      local to = math.min(at + SLICE - 1, last)
      redis.call(command, key, unpack(ARGV, at, to))
      at = to + 1
    end
  end
  local function append(key)
    for _ = 1, count() do
      local n = count() * 2
      redis.call('XADD', key, '*', unpack(ARGV, at, at + n - 1))
      at = at + n
    end
  end
  local function delete(key)
    local deleted = 0
    for _ = 1, count() do
      local ids = {}
      for id in string.gmatch(ARGV[at], '%S+') do
        ids[#ids + 1] = id
      end
      at = at + 1
      deleted = deleted + redis.call('XDEL', key, unpack(ids))
    end
    return deleted
  end
  local function link(refused)
    for _ = 1, count() do
      local key = KEYS[count()]
      for _ = 1, count() do
        local id, holder = ARGV[at], ARGV[at + 1]
        at = at + 2
        if redis.call('HSETNX', key, id, holder) == 0 then
          local first = redis.call('HGET', key, id)
          if first ~= holder then
            refused[#refused + 1] = id
            refused[#refused + 1] = first
          end
        end
      end
    end
    return refused
  end

  append(KEYS[3])
  append(KEYS[8])
  slices('HDEL', KEYS[2], count())
  slices('HSET', KEYS[2], count() * 2)
  local deleted = delete(KEYS[3]) + delete(KEYS[4])
  for _ = 1, count() do
    local key = KEYS[count()]
    slices('HSET', key, count() * 2)
  end
  for _ = 1, count() do
    local key = KEYS[count()]
    slices('HDEL', key, count())
  end
  local refused = link({})
  slices('HDEL', KEYS[5], count())
  slices('HSET', KEYS[5], count() * 2)
  slices('HDEL', KEYS[6], count())
  slices('HSET', KEYS[6], count() * 2)
  local seen = count()
  if seen > 0 then
    local from = at
    local ttl, most = ARGV[at + seen * 2], tonumber(ARGV[at + seen * 2 + 1])
    if redis.call('HLEN', KEYS[7]) + seen <= most then
      slices('HSET', KEYS[7], seen * 2)
      redis.call('EXPIRE', KEYS[7], ttl, 'NX')
    end
    at = from + seen * 2 + 2
  end
  slices('HSET', KEYS[9], count() * 2)
  slices('ZREM', KEYS[11], count())
  slices('ZADD', KEYS[11], count() * 2)
  for _ = 1, count() do
    redis.call('HINCRBY', KEYS[10], ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  redis.call('HINCRBY', KEYS[1], 'step', 1)
  return { deleted, refused }
end
