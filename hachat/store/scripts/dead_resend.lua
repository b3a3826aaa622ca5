-- Put a dead reply back into its outbox, once: in the same step its dead letter goes.
--
-- KEYS  1 dead (stream)  2 outbox (list)  3 outready (zset)  4 counters (hash)  5 bell (list)  6 trail (stream)
--       7 audit (stream)
-- ARGV  1 entry of dead  2 most in the outbox  3 room  4 id  5 '<id>|<envelope>'  6 who asked for it
-- =>    'DONE' | 'GONE' there is no such entry (any more) | 'BUSY' the outbox is full
--       Only DONE changes anything.

local dead, outbox, outready, counters, bell = unpack(KEYS)

if not redis.call('XRANGE', dead, ARGV[1], ARGV[1])[1] then return 'GONE' end
if redis.call('LLEN', outbox) >= tonumber(ARGV[2]) then return 'BUSY' end
-- A key of another type is an error before anything has been written.
redis.call('ZCARD', outready)
redis.call('HLEN', counters)
local rung = redis.call('LLEN', bell) > 0
local time = redis.call('TIME')

-- First what Redis refuses when memory is short: then nothing has been written yet.
redis.call('RPUSH', outbox, ARGV[5])
redis.call('XDEL', dead, ARGV[1])
redis.call('ZADD', outready, 'NX', time[1] * 1000 + math.floor(time[2] / 1000), ARGV[3])
redis.call('HINCRBY', counters, 'outgoing', 1)
if not rung then redis.call('RPUSH', bell, '1') end
redis.pcall('XADD', KEYS[6], 'MAXLEN', '~', 10000, '*', 'by', ARGV[6], 'retried',
  ARGV[4] .. '\t' .. string.gsub(ARGV[3], '%c', ' '))
redis.pcall('XADD', KEYS[7], 'MAXLEN', '~', 5000, '*', 'did', 'retried', 'by', ARGV[6], 'letter', ARGV[1],
  'kind', 'reply', 'id', ARGV[4], 'origin', ARGV[3])
return 'DONE'
