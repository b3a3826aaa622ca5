-- Take somebody into a group, or out of it, and note who did that.
--
-- KEYS  1 groups (hash)  2 audit (stream)
-- ARGV  1 'add' | 'remove'  2 group  3 '<adapter>/<user id>'  4 who does it  5 members that all groups may have
-- =>    'DONE' | 'SAME' it was so already | 'FULL' there are too many members; nothing was changed

local member = ARGV[2] .. '|' .. ARGV[3]
local there = redis.call('HEXISTS', KEYS[1], member) == 1
if there == (ARGV[1] == 'add') then return 'SAME' end
if ARGV[1] == 'add' then
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 'FULL' end
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], member, time[1] .. '|' .. ARGV[4])
else
  redis.call('HDEL', KEYS[1], member)
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 5000, '*',
  'did', 'auth ' .. ARGV[1], 'by', ARGV[4], 'user', ARGV[3], 'group', ARGV[2])
return 'DONE'
