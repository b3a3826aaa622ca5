-- Count a run of something that may not be done too often, if it may be done now.
--
-- KEYS  1 rate:<name> (string)
-- ARGV  1 span, µs  2 runs in it
-- =>    {µs to wait, 0 for now; 1 if nobody has been told of that yet}
--
-- The generic cell rate algorithm (ITU-T I.371), as in core/rates.py: the key holds the theoretical arrival and until when
-- whoever is refused has been told, both in µs of Redis.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local span = tonumber(ARGV[1])
local arrival, told = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(%d+)$')
arrival, told = tonumber(arrival) or 0, tonumber(told) or 0
local after = math.floor(math.max(now, arrival) + span / ARGV[2])
local wait, first = after - now - span, 0
if wait <= 0 then
  arrival, wait = after, 0
elseif told <= now then
  told, first = now + wait, 1
end
local life = math.ceil(math.max(arrival - now, told - now, 1000) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f|%.0f', arrival, told), 'PX', life)
return {wait, first}
