-- List the keys under which a handler remembers something; there are 10,000 at most.
--
-- KEYS  1 memory:<handler> (hash)  2 memory:<handler>:ends (zset)
-- ARGV  1 what the keys begin with
-- =>    the keys, in no order

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over, found = {}, {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do over[key] = true end
for _, key in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not over[key] and string.sub(key, 1, #ARGV[1]) == ARGV[1] then found[#found + 1] = key end
end
return found
