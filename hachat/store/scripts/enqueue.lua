-- Queue one message or webhook in the mailbox of its conversation.
--
-- KEYS  1 seen (string)  2 mailbox (list)  3 ready (stream)  4 counters (hash)
-- ARGV  1 '<id>|<envelope>'  2 conversation  3 lane  4 most messages in the lane  5 most in the mailbox
--       6 life of the mark in seen, ms
-- =>    'OK' | 'DUP' queued before | 'FULL' the lane is | 'BUSY' the mailbox is.  Only OK leaves a trace.

if redis.call('EXISTS', KEYS[1]) == 1 then return 'DUP' end
local counter = 'waiting:' .. ARGV[3]
if tonumber(redis.call('HGET', KEYS[4], counter) or '0') >= tonumber(ARGV[4]) then return 'FULL' end
local waiting = redis.call('LLEN', KEYS[2])
if waiting >= tonumber(ARGV[5]) then return 'BUSY' end

-- First what Redis refuses when memory is short: then nothing has been written yet.
redis.call('SET', KEYS[1], '', 'PX', ARGV[6])
redis.call('RPUSH', KEYS[2], ARGV[1])
if waiting == 0 then redis.call('XADD', KEYS[3], '*', 'c', ARGV[2]) end
redis.call('HINCRBY', KEYS[4], counter, 1)
return 'OK'
