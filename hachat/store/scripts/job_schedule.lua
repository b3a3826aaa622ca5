-- Keep a job for later; one that waits under the same id is replaced.
--
-- KEYS  1 jobs (zset)  2 jobdata (hash)  3 seen:later:<id> (string)
-- ARGV  1 most jobs that wait  2 id  3 ms from now  4 jobdata  5 digest of it  6 life of the mark in seen, ms
-- =>    'OK' | 'DONE' the very same was scheduled before and is not waiting any more | 'FULL' too many wait
--
-- The mark keeps a repeated question from bringing back a job that has been moved into its mailbox meanwhile.

local waits = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not waits and redis.call('GET', KEYS[3]) == ARGV[5] then return 'DONE' end
if not waits and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 'FULL' end
redis.call('HLEN', KEYS[2])  -- what is no hash is found out before anything is written
local time = redis.call('TIME')
redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[2])
return 'OK'
