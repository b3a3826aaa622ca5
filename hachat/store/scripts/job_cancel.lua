-- Take back a job that waits.
--
-- KEYS  1 jobs (zset)  2 jobdata (hash)  3 seen:later:<id> (string)  4 said (hash)
-- ARGV  1 id
-- =>    1 | 0 none waits under that id (any more)

-- A key of another type is an error before anything has been written.
local waits = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[4])
redis.call('DEL', KEYS[3])
redis.call('HDEL', KEYS[2], ARGV[1])
if not waits then return 0 end
-- What a message has said is kept for its next try only; that may wait in its mailbox already, and then it is needed.
local message = string.match(ARGV[1], '^(.*)/again$')
if message then redis.call('HDEL', KEYS[4], message) end
return redis.call('ZREM', KEYS[1], ARGV[1])
