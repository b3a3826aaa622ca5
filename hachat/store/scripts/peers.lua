-- Who is in the cluster, and what operators have ordered, at one moment; changes nothing.
--
-- KEYS  1 members (hash)  2 nodes (zset)  3 control (hash)
--
-- =>    {now ms, members, ends of the node leases, control}, each as a flat list of names and values

local time = redis.call('TIME')
return {
  time[1] * 1000 + math.floor(time[2] / 1000),
  redis.call('HGETALL', KEYS[1]),
  redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', KEYS[3]),
}
