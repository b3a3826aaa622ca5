-- Order a step-down for a time, or take that back, and note in the audit trail who did.
--
-- KEYS  1 control (hash)  2 audit (stream)
-- ARGV  1 the order, JSON, or empty to take back the one that waits  2.. fields and values for the trail
-- =>    1 done | 0 one waits already, or none did; nothing was changed

local waits = redis.call('HEXISTS', KEYS[1], 'step-down') == 1
if waits == (ARGV[1] ~= '') then return 0 end
if waits then
  redis.call('HDEL', KEYS[1], 'step-down')
else
  redis.call('HSET', KEYS[1], 'step-down', ARGV[1])
end
redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', 5000, '*', unpack(ARGV, 2))
return 1
