-- Keep a job until a moment, if the one that waits under its id is the one that was expected.
--
-- KEYS  1 jobs (zset)  2 jobdata (hash)
-- ARGV  1 most jobs that wait  2 id  3 due, Redis milliseconds  4 jobdata
--       5 when the one that waits must be due, empty where none must wait
-- =>    'DONE' | 'OTHER' another one waits, or none | 'FULL' too many wait; nothing was changed
--
-- Asked again while it waits it says 'DONE'.

local waits = redis.call('ZSCORE', KEYS[1], ARGV[2])
local data = redis.call('HGET', KEYS[2], ARGV[2])
if waits and tonumber(waits) == tonumber(ARGV[3]) and data == ARGV[4] then return 'DONE' end
if tonumber(waits or nil) ~= tonumber(ARGV[5]) then return 'OTHER' end
if not waits and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 'FULL' end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
return 'DONE'
