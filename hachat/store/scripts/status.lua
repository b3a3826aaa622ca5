-- Everything there is to see of a cluster, at one moment; changes nothing.
--
-- KEYS  1 lease  2 meta  3 members  4 nodes  5 gone  6 counters  7 outready  8 dead  9 detached  10 refused
--       11 control  12.. ready of each lane
-- ARGV  1 group  2 prefix of mailbox keys  3 prefix of outbox keys
-- =>    {now ms, lease, ms left, meta, members, nodes, gone, counters, dead letters, {the newest of them}, refused,
--        head of the room that is due first, control, for each lane: conversations in hand, head of the conversation that waits longest}

local time = redis.call('TIME')
local first = redis.call('ZRANGE', KEYS[7], 0, 0)[1]
local status = {
  time[1] * 1000 + math.floor(time[2] / 1000),
  redis.call('GET', KEYS[1]) or '',
  redis.call('PTTL', KEYS[1]),
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
  redis.call('ZRANGE', KEYS[4], 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', KEYS[5]),
  redis.call('HGETALL', KEYS[6]),
  redis.call('XLEN', KEYS[8]),
  redis.call('XREVRANGE', KEYS[8], '+', '-', 'COUNT', 1),
  redis.call('HGETALL', KEYS[10]),
  first and redis.call('LINDEX', ARGV[3] .. first, 0) or '',
  redis.call('HGETALL', KEYS[11]),
}
for i = 12, #KEYS do
  local grouped = redis.call('EXISTS', KEYS[i]) == 1 and #redis.call('XINFO', 'GROUPS', KEYS[i]) > 0
  local oldest = redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1]
  status[#status + 1] = grouped and redis.call('XPENDING', KEYS[i], ARGV[1])[1] or 0
  status[#status + 1] = oldest and redis.call('LINDEX', ARGV[2] .. (redis.call('HGET', KEYS[9], KEYS[i] .. ' ' .. oldest[1]) or oldest[2][2]), 0) or ''
end
return status
