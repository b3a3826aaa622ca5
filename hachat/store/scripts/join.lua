-- A node says who it is, unless another living process has its name.
--
-- KEYS  1 members (hash)  2 nodes (zset)  3 gone (hash)
-- ARGV  1 node  2 consumer  3 what it says of itself, JSON  4 life of the node lease, ms  5 ms the gone are remembered
--       6 the lease end of a namesake that has been seen to stand still, or ''
-- =>    'OK' | {lease end} of a living namesake
--
-- A namesake's lease that stood still long enough belongs to a process that is no more: it is ended here.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if name ~= ARGV[2] and string.match(name, '^(.*):[^:]*$') == ARGV[1] then
    local lease = redis.call('ZSCORE', KEYS[2], name)
    if lease and tonumber(lease) > now then
      if lease ~= ARGV[6] then return {lease} end
      redis.call('ZADD', KEYS[2], now - 1, name)
    end
    redis.call('HDEL', KEYS[1], name)
    redis.call('HDEL', KEYS[3], name)
  end
end
local gone = redis.call('HGETALL', KEYS[3])
for i = 1, #gone, 2 do
  if tonumber(gone[i + 1]) < now - ARGV[5] then
    redis.call('HDEL', KEYS[3], gone[i])
    -- A node that was taken for dead may have woken up since.
    if not redis.call('ZSCORE', KEYS[2], gone[i]) then redis.call('HDEL', KEYS[1], gone[i]) end
  end
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[2])
return 'OK'
