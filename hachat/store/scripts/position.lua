-- Say where a message stands in its mailbox, or the first of its replies in an outbox; changes nothing.
--
-- KEYS  1 mailbox or outbox (list)
-- ARGV  1 id of the message  2 how many to look at
-- =>    {position, the head is 1, or 0 when it is not among them, how many are in the list}

local length, most = redis.call('LLEN', KEYS[1]), tonumber(ARGV[2])
local itself, reply = ARGV[1] .. '|', ARGV[1] .. '/'
for start = 0, math.min(length, most) - 1, 50 do
  for i, item in ipairs(redis.call('LRANGE', KEYS[1], start, start + 49)) do
    local mark = string.sub(item, 1, #itself)
    if mark == itself or mark == reply then return {start + i, length} end
  end
end
return {0, length}
