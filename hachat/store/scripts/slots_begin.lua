-- Tell which slot of each schedule was the last to be fired; a schedule that is new begins now.
--
-- KEYS  1 slots (hash)
-- ARGV  1 schedule  2.. more of them
-- =>    for each: Unix ms

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
for i = 1, #ARGV do redis.call('HSETNX', KEYS[1], ARGV[i], now) end
return redis.call('HMGET', KEYS[1], unpack(ARGV))
