-- A master makes rooms due at once that somebody may have been sending to: its predecessor, or itself by a turn
-- whose answer was lost.
--
-- KEYS  1 lease (string)  2 outready (zset)  3 intent (hash)
-- ARGV  1 token of the lease  2.. rooms that are being served and therefore left alone
-- =>    'FENCED' | how many rooms

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'FENCED' end
redis.call('HDEL', KEYS[3], '')  -- Redis that is out of memory lets a script go on which began with a write that needs none
local served, count = {}, 0
for i = 2, #ARGV do served[ARGV[i]] = true end
for _, room in ipairs(redis.call('HKEYS', KEYS[3])) do
  if not served[room] then
    redis.call('ZADD', KEYS[2], 'XX', 0, room)
    count = count + 1
  end
end
return count
