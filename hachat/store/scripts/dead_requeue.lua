-- Put a dead message back into its mailbox, once: in the same step its dead letter goes, and what is known of its deaths.
--
-- KEYS  1 dead (stream)  2 mailbox (list)  3 ready (stream)  4 counters (hash)  5 deaths (hash)  6 said (hash)
--       7 trail (stream)  8 audit (stream)
-- ARGV  1 entry of dead  2 lane  3 most messages in the lane  4 most in the mailbox  5 conversation  6 id
--       7 '<id>|<envelope>'  8 who asked for it
-- =>    'DONE' | 'GONE' there is no such entry (any more) | 'FULL' the lane is | 'BUSY' the mailbox is
--       'AGAIN' another part of the message is still to be tried again, as what it has said tells: two items of one id in a
--       mailbox would be taken for each other.  So a message that is put back is one that has said nothing yet
--       Only DONE changes anything.

local dead, mailbox, ready, counters = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local counter = 'waiting:' .. ARGV[2]

if not redis.call('XRANGE', dead, ARGV[1], ARGV[1])[1] then return 'GONE' end
if tonumber(redis.call('HGET', counters, counter) or '0') >= tonumber(ARGV[3]) then return 'FULL' end
if redis.call('HEXISTS', KEYS[6], ARGV[6]) == 1 then return 'AGAIN' end
local length = redis.call('LLEN', mailbox)
if length >= tonumber(ARGV[4]) then return 'BUSY' end
redis.call('XLEN', ready)  -- a key of another type is an error before anything has been written

-- First what Redis refuses when memory is short: then nothing has been written yet.
redis.call('RPUSH', mailbox, ARGV[7])
redis.call('XDEL', dead, ARGV[1])
if length == 0 then redis.call('XADD', ready, '*', 'c', ARGV[5]) end
redis.call('HINCRBY', counters, counter, 1)
redis.call('HSET', KEYS[6], ARGV[6], '\n')
redis.pcall('HDEL', KEYS[5], ARGV[6])
redis.pcall('XADD', KEYS[7], 'MAXLEN', '~', 10000, '*', 'by', ARGV[8], 'retried',
  ARGV[6] .. '\t' .. string.gsub(ARGV[5], '%c', ' '))
redis.pcall('XADD', KEYS[8], 'MAXLEN', '~', 5000, '*', 'did', 'retried', 'by', ARGV[8], 'letter', ARGV[1],
  'kind', 'message', 'id', ARGV[6], 'origin', ARGV[5])
return 'DONE'
