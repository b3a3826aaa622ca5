-- Give back every token a leaving node still holds, for others to take at once; it counts as no death.
--
-- KEYS  1 ready (stream)  2 detached (hash)
-- ARGV  1 group  2 consumer
-- =>    how many

local held = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000, ARGV[2])
for _, entry in ipairs(held) do
  local found = redis.call('XRANGE', KEYS[1], entry[1], entry[1])
  if #found == 1 then
    redis.call('XADD', KEYS[1], '*', 'c', redis.call('HGET', KEYS[2], KEYS[1] .. ' ' .. entry[1]) or found[1][2][2])
    redis.call('HDEL', KEYS[2], KEYS[1] .. ' ' .. entry[1])
  end
  redis.call('XACK', KEYS[1], ARGV[1], entry[1])
  redis.call('XDEL', KEYS[1], entry[1])
end
-- Only a consumer that holds nothing may be deleted: its pending entries would go with it.
if #held < 10000 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
return #held
