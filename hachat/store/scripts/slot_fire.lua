-- Fire a slot of a schedule: queue its job, unless somebody has fired it before.
--
-- KEYS  1 slots (hash)  2 counters (hash)  3 ready (stream)  4 mailbox:<conversation> (list)
-- ARGV  1 schedule  2 slot, Unix ms  3 lane  4 conversation  5 most that may wait in the mailbox  6 '<id>|<envelope>'
-- =>    'FIRED' | 'PAST' that slot, or a later one, was fired before
--       'BUSY' so many wait already: the slot is over, and its job is not queued
--       The trail, beside the counters, gets an entry for what was fired.

local last = redis.call('HGET', KEYS[1], ARGV[1])
if last and tonumber(last) >= tonumber(ARGV[2]) then return 'PAST' end
-- What is not of its kind is found out before anything is written.
local waiting = redis.call('LLEN', KEYS[4])
redis.call('XLEN', KEYS[3])
redis.call('HLEN', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if waiting >= tonumber(ARGV[5]) then return 'BUSY' end
redis.call('RPUSH', KEYS[4], ARGV[6])
if waiting == 0 then redis.call('XADD', KEYS[3], '*', 'c', ARGV[4]) end
redis.call('HINCRBY', KEYS[2], 'waiting:' .. ARGV[3], 1)
local trail = string.gsub(KEYS[2], 'counters$', 'trail')
local entry = string.match(ARGV[6], '^[^|]*') .. '\t' .. string.gsub(ARGV[4], '%c', ' ')
redis.pcall('XADD', trail, 'MAXLEN', '~', 10000, '*', 'lane', ARGV[3], 'in', entry)
return 'FIRED'
