-- Tell whether a node is the first of a cluster that starts: whether none of those that were there before it still lives.
--
-- KEYS  1 life (zset)  2 nodes (zset)
-- ARGV  1 consumer
-- =>    1 it is the first | 0
--
-- Asked again, it is answered as before.  Those that are gone are forgotten, the first excepted.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local alive = false
  for _, consumer in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local lease = redis.call('ZSCORE', KEYS[2], consumer)
    if lease and tonumber(lease) > now then
      alive = true
    elseif consumer ~= first then
      redis.call('ZREM', KEYS[1], consumer)
    end
  end
  if not alive then
    redis.call('DEL', KEYS[1])
    first = ARGV[1]
  end
  redis.call('ZADD', KEYS[1], first == ARGV[1] and 0 or now, ARGV[1])
end
return first == ARGV[1] and 1 or 0
