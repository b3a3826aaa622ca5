-- Keep the lease for another ttl.  It runs all day, so it asks as little of Redis as it can: two commands.
--
-- KEYS  1 lease (string)  2 meta (hash)  3 events (stream)
-- ARGV  1 token  2 ttl ms  3 config epoch, if this server is another than at the last renewal, else empty
--
-- =>    {kind, ...}:
-- OK           it is yours
-- LOST token   it is not: somebody else's token, or an empty string if nobody has it
--
-- GETEX is GET and PEXPIRE in one.  Should the key be another's, that one's key lives a little longer, which decides
-- nothing.  A key that is gone although the record still names us was lost (a failover, a clock, a DEL): it is set
-- again.  After a release, or another's term, the record says otherwise, and a late renewal brings nothing back.
--
-- A holder that goes on at another server vouches for the record there: nobody can have led since without it.  So the
-- record says from then on that it belongs to this server, and whoever is handed the lease need not wait for one to be forgotten.

local lease = redis.call('GETEX', KEYS[1], 'PX', ARGV[2])
if lease ~= ARGV[1] then
  local record = redis.call('HMGET', KEYS[2], 'holder', 'state')
  if lease or record[1] ~= ARGV[1] or record[2] ~= 'held' then return {'LOST', lease or ''} end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[2], 'holder') == ARGV[1] then
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  redis.call('HSET', KEYS[2], 'identity', run_id .. '@' .. ARGV[3])
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, '*', 'event', 'renewed', 'token', ARGV[1])
return {'OK'}
