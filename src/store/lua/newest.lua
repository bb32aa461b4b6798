#!lua flags=no-writes
-- newest: newest ids ever of a tenant's logs; as a script because XINFO would send whole entries over the wire.
-- KEYS: 1 changes, 2 backfill
-- ARGV: none
-- Returns: {id, id}
--include stream
return { stream(KEYS[1])[2], stream(KEYS[2])[2] }
