-- Note how far a subject has been told to the admins, and say so in their room: both or neither.
--
-- KEYS  1 noticed (hash)  2 outbox:<room> (list)  3 outready (zset)  4 counters (hash)  5 bell (list)
-- ARGV  1 subject  2 how far it had been told  3 how far it is told now  4 room  5 most replies in an outbox
--       6 '<id>|<envelope>', or '' if there is nothing to say
-- =>    'DONE' it is told that far, now or since it was asked before | 'LOST' it is told otherwise meanwhile
--       | 'FULL' the outbox is; nothing was changed

local outbox, room, notice = KEYS[2], ARGV[4], ARGV[6]
local told = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if told == ARGV[3] then return 'DONE' end
if told ~= ARGV[2] then return 'LOST' end
if notice ~= '' then
  local length = redis.call('LLEN', outbox)
  if length >= tonumber(ARGV[5]) then return 'FULL' end
  -- A key of another type is an error before anything has been written.
  redis.call('ZCARD', KEYS[3])
  redis.call('HLEN', KEYS[4])
  redis.call('LLEN', KEYS[5])
  redis.call('RPUSH', outbox, notice)
  redis.call('HINCRBY', KEYS[4], 'outgoing', 1)
  if length == 0 then
    redis.call('ZADD', KEYS[3], 'NX', redis.call('TIME')[1] * 1000, room)
    if redis.call('LLEN', KEYS[5]) == 0 then redis.call('RPUSH', KEYS[5], '1') end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'DONE'
