-- A node lives: its node lease is renewed, and it hears whose has run out.
--
-- KEYS  1 nodes (zset)
-- ARGV  1 consumer  2 life of the node lease, ms
-- =>    {consumer, ...} whose lease has run out and whose tokens nobody has taken over yet

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
