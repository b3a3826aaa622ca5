-- Take back a job that waits.
--
-- KEYS  1 jobs (zset)  2 jobdata (hash)  3 seen:later:<id> (string)
-- ARGV  1 id
-- =>    1 | 0 none waits under that id (any more)

redis.call('DEL', KEYS[3])
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
