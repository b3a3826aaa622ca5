-- A node lives: its node lease is renewed, and it hears whose has run out.
--
-- KEYS  1 nodes (zset)  2.. ready (stream) of each lane, now and then, to look for who holds a conversation and has no lease
-- ARGV  1 consumer  2 life of the node lease, ms  3 group, where there are streams
-- =>    {consumer, ...} whose lease has run out and whose tokens nobody has taken over yet
--
-- A node that was taken for dead may wake up, take a conversation, and die before it beats: nobody would miss it.  So it is
-- given a lease here, which it renews if it lives, and which runs out otherwise.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
for i = 2, #KEYS do
  local held = redis.pcall('XPENDING', KEYS[i], ARGV[3])  -- an error where there is no such group, and then nobody holds anything
  for _, holder in ipairs(held[4] or {}) do redis.call('ZADD', KEYS[1], 'NX', now + ARGV[2], holder[1]) end
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
