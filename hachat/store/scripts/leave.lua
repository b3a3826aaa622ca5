-- A node says goodbye: it is neither alive nor missed.
--
-- KEYS  1 members (hash)  2 nodes (zset)
-- ARGV  1 consumer

redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
