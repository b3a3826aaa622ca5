-- Post a reply in a console's room, once for each reply id.
--
-- KEYS  1 console:room:<id> (stream)  2 console:sent:<reply id> (string)
-- ARGV  1 life of both keys, ms  2 entries kept, about  3 what is said, JSON
-- =>    1 | 0 it was posted before

redis.call('XLEN', KEYS[1])  -- what is no stream is found out before the mark is set
if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then
  return 0
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'json', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
