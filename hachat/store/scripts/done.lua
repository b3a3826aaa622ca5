-- The master reports what became of a room's head.
--
-- KEYS  1 lease (string)  2 outbox (list)  3 outready (zset)  4 intent (hash)  5 counters (hash)  6 dead (stream)
--       7 bell (list)
-- ARGV  1 token of the lease  2 room  3 id of the head  4 'sent' | 'defer' | 'doubt' | 'dead'
--       5 ms until the room may send again  6 reason for the dead letters  7 '1' to go on with the room's next reply
--       8 ms until a room that goes on is looked at again if nothing is heard of it
-- =>    'FENCED' | 'GONE' that head was reported before | 'OK' | {next head}
--
-- A master that was deposed may still report a send it truly made, as long as no other has taken the room:
-- that spares the room a doubt.

local leads = redis.call('GET', KEYS[1]) == ARGV[1]
if not leads and not (ARGV[4] == 'sent' and redis.call('HGET', KEYS[4], ARGV[2]) == ARGV[1]) then return 'FENCED' end
local head, mark = redis.call('LINDEX', KEYS[2], 0), ARGV[3] .. '|'
if not head or string.sub(head, 1, #mark) ~= mark then return 'GONE' end

local finished = ARGV[4] == 'sent' or ARGV[4] == 'dead'
if ARGV[4] == 'dead' then
  redis.call('XADD', KEYS[6], '*', 'kind', 'reply', 'origin', ARGV[2], 'data', head, 'reason', ARGV[6])
end
if finished then
  redis.call('LPOP', KEYS[2])
  redis.call('HINCRBY', KEYS[5], 'outgoing', -1)
end
local next = redis.call('LINDEX', KEYS[2], 0)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if next and finished and leads and ARGV[7] == '1' then
  redis.call('ZADD', KEYS[3], now + ARGV[8], ARGV[2])
  return {next}  -- the intent stays: it now means this one
end
if ARGV[4] ~= 'doubt' then redis.call('HDEL', KEYS[4], ARGV[2]) end
if next then
  redis.call('ZADD', KEYS[3], now + ARGV[5], ARGV[2])
  -- The drain may be waiting for a later moment than this room's.
  if redis.call('LLEN', KEYS[7]) == 0 then redis.call('RPUSH', KEYS[7], '1') end
else
  redis.call('ZREM', KEYS[3], ARGV[2])
end
return 'OK'
