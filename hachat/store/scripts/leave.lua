-- A node says goodbye: it is neither alive nor missed.
--
-- KEYS  1 members (hash)  2 nodes (zset)  3.. ready (stream) of each lane
-- ARGV  1 consumer  2 group
-- =>    1 gone | 0 it still holds conversations, so its lease of life is ended for others to take them over

for i = 3, #KEYS do
  local held = redis.pcall('XPENDING', KEYS[i], ARGV[2], '-', '+', 1, ARGV[1])
  if not held.err and #held > 0 then
    redis.call('ZADD', KEYS[2], 1, ARGV[1])
    return 0
  end
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
