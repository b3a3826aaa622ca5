-- Take back a job that waits.
--
-- KEYS  1 jobs (zset)  2 jobdata (hash)  3 seen:later:<id> (string)  4 said (hash)
-- ARGV  1 id
-- =>    1 | 0 none waits under that id (any more)

redis.call('DEL', KEYS[3])
-- What a message has said is kept for its next try only.
local message = string.match(ARGV[1], '^(.*)/again$')
if message then redis.call('HDEL', KEYS[4], message) end
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
