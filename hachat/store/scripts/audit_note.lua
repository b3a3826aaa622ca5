-- Note what somebody did.
--
-- KEYS  1 audit (stream)  2 did:<note> (string)
-- ARGV  1.. fields and values
-- =>    1 | 0 it was noted before, within a minute

if not redis.call('SET', KEYS[2], '', 'NX', 'PX', 60000) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 5000, '*', unpack(ARGV))
return 1
