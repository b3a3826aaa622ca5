-- Read what a handler remembers under some keys.
--
-- KEYS  1 memory:<handler> (hash)  2 memory:<handler>:ends (zset)
-- ARGV  1.. the keys
-- =>    for each key its value, JSON, or nil

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local values = redis.call('HMGET', KEYS[1], unpack(ARGV))
for i, key in ipairs(ARGV) do
  local ends = values[i] and redis.call('ZSCORE', KEYS[2], key)
  if ends and tonumber(ends) <= now then values[i] = false end
end
return values
