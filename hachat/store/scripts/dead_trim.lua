-- Cut the oldest dead letters beyond the limit, and count them.
--
-- KEYS  1 dead (stream)  2 counters (hash)
-- ARGV  1 most letters to keep  2 most to cut at once
-- =>    how many were cut

local excess = redis.call('XLEN', KEYS[1]) - ARGV[1]
if excess <= 0 then return 0 end
redis.call('HLEN', KEYS[2])  -- a key of another type is an error before anything has been cut
local cut = redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[1] + math.max(0, excess - ARGV[2]))
redis.call('HINCRBY', KEYS[2], 'dead_cut', cut)
return cut
