#!lua flags=no-writes
-- lengths: one atomic view of a tenant: what conservation is judged by.
-- KEYS: 1 changes, 2 backfill, 3 outbox, 4 compacted, 5 dead, 6 batches, 7 counters, 8 questions
-- ARGV: none
-- Returns: {changes, backfill, outbox as {length, newest id, entries ever added}, records compacted, dead letters,
--          intents, {counter, value, …}, open questions}
--include stream
return {
  stream(KEYS[1]), stream(KEYS[2]), stream(KEYS[3]), redis.call('HLEN', KEYS[4]), redis.call('HLEN', KEYS[5]),
  redis.call('HLEN', KEYS[6]), redis.call('HGETALL', KEYS[7]),
  redis.call('ZCARD', KEYS[8]),
}
