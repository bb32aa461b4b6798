#!lua flags=allow-oom
-- link: joins one key and one Salesforce record. First key for a record and first record for a key win.
-- KEYS: 1 owner, 2 bucket of the id index, 3 bucket of the rows
-- ARGV: 1 nonce, 2 epoch, 3 step, 4 packed id, 5 holder (object NUL key), 6 row as the caller read it (empty: none), 7 new row
-- Returns: {1} linked; {0, 'id', holder} another key has this record; {0, 'row', row} the row is not what the caller read
-- Errors: FENCED, REWOUND. Raises the step when it links.
--include fence
local refused = fence(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then
  return refused
end
local holder = redis.call('HGET', KEYS[2], ARGV[4])
if holder and holder ~= ARGV[5] then
  return { 0, 'id', holder }
end
local row = redis.call('HGET', KEYS[3], ARGV[5]) or ''
if row ~= ARGV[6] then
  return { 0, 'row', row }
end
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[3], ARGV[5], ARGV[7])
redis.call('HINCRBY', KEYS[1], 'step', 1)
return { 1 }
