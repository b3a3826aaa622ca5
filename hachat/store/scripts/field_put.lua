-- Set a field of a hash, if what is there is what was expected.
--
-- KEYS  1 hash
-- ARGV  1 field  2 what must be there, empty for nothing  3 the new value  4 most fields of the hash, 0 for any number
-- =>    'DONE' | 'OTHER' something else is there | 'FULL' there are too many fields; nothing was changed
--
-- Asked again it finds the new value, and says 'DONE'.

local there = redis.call('HGET', KEYS[1], ARGV[1])
if there == ARGV[3] then return 'DONE' end
if (there or '') ~= ARGV[2] then return 'OTHER' end
local most = tonumber(ARGV[4])
if not there and most > 0 and redis.call('HLEN', KEYS[1]) >= most then return 'FULL' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'DONE'
