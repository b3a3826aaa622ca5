-- Put a call into the outbox of its room at once, behind what waits there.
--
-- KEYS  1 outbox:<room> (list)  2 outready (zset)  3 counters (hash)  4 bell (list)
-- ARGV  1 room  2 most replies in an outbox  3 '<id>|<envelope>'
-- =>    'OK' it waits, now or since it was asked before | 'FULL' the outbox is; nothing was queued
--
-- Asked again after it was answered, it is asked again: calls change nothing, and nobody waits for the second answer.

local outbox, room, call = KEYS[1], ARGV[1], ARGV[3]
local length = redis.call('LLEN', outbox)
if length > 0 and redis.call('LPOS', outbox, call) then return 'OK' end
if length >= tonumber(ARGV[2]) then return 'FULL' end
-- A key of another type is an error before anything has been written.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('LLEN', KEYS[4])
redis.call('RPUSH', outbox, call)
redis.call('HINCRBY', KEYS[3], 'outgoing', 1)
if length == 0 then
  redis.call('ZADD', KEYS[2], 'NX', redis.call('TIME')[1] * 1000, room)
  if redis.call('LLEN', KEYS[4]) == 0 then redis.call('RPUSH', KEYS[4], '1') end
end
return 'OK'
