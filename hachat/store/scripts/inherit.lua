-- A new master makes the rooms its predecessor may have been sending to due at once.
--
-- KEYS  1 lease (string)  2 outready (zset)  3 intent (hash)
-- ARGV  1 token of the lease
-- =>    'FENCED' | how many rooms

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'FENCED' end
local rooms = redis.call('HKEYS', KEYS[3])
for _, room in ipairs(rooms) do redis.call('ZADD', KEYS[2], 'XX', 0, room) end
return #rooms
