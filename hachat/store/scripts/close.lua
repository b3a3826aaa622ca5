-- Give back the token of a conversation with nothing waiting.
--
-- KEYS  1 ready (stream)  2 mailbox (list)
-- ARGV  1 group  2 token: entry of ready  3 consumer
-- =>    1 given back | 0 it is not this consumer's, or something is waiting after all

local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
