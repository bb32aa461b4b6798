-- stream(key): {length, newest id ever, entries ever added} of a stream; {0, '0-0', 0} when there is none.
local function stream(key)
  if redis.call('EXISTS', key) == 0 then
    return { 0, '0-0', 0 }
  end
  local info, found = redis.call('XINFO', 'STREAM', key), {}
  for i = 1, #info, 2 do
    found[info[i]] = info[i + 1]
  end
  return { found['length'], found['last-generated-id'], found['entries-added'] }
end
