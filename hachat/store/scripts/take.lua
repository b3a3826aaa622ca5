-- The master takes the heads of rooms that are due, and records that it may be sending them.
--
-- KEYS  1 lease (string)  2 outready (zset)  3 intent (hash)
-- ARGV  1 token of the lease  2 most rooms  3 ms until a room is looked at again if nothing is heard of it
--       4 prefix of outbox keys
-- =>    'FENCED' | {ms until the next room is due or -1, room, head, earlier intent or '', ...}

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'FENCED' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken = {-1}
for _, room in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  local head = redis.call('LINDEX', ARGV[4] .. room, 0)
  if head then
    taken[#taken + 1] = room
    taken[#taken + 1] = head
    taken[#taken + 1] = redis.call('HGET', KEYS[3], room) or ''
    redis.call('HSET', KEYS[3], room, ARGV[1])
    redis.call('ZADD', KEYS[2], now + ARGV[3], room)
  else
    redis.call('ZREM', KEYS[2], room)
    redis.call('HDEL', KEYS[3], room)
  end
end
local next = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if next[2] then taken[1] = math.max(0, tonumber(next[2]) - now) end
return taken
