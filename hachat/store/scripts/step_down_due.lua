-- Look whether a step-down was ordered for a time that has come, and ask the master, who is the caller, for it.
--
-- KEYS  1 lease (string)  2 events (stream)  3 control (hash)  4 audit (stream)
-- ARGV  1 token of the master  2 ms after which it is too late
--
-- =>    {kind, ...}:
-- NONE         nothing is ordered
-- WAIT ms      it is due in so many ms
-- ASKED order  it was due and is asked for now; the order, JSON, is taken out
-- CHANGED order  it was due and meant for another master, and is taken out
-- MISSED order it was due too long ago, or cannot be read, and is taken out
-- LOST         the caller is not master
--
-- It is taken out and asked for in one step, so that the next master does not step down once more.  The last one that was
-- taken out without being asked for is kept for a day as `missed`, in the form of the other orders.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'LOST'} end
local text = redis.call('HGET', KEYS[3], 'step-down')
if not text then return {'NONE'} end
local fine, order = pcall(cjson.decode, text)
local due = fine and type(order) == 'table' and tonumber(order.due)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local left = due and math.ceil(due * 1000) - now or -math.huge
if left > 0 then return {'WAIT', math.min(left, 2 ^ 40)} end

local function field(name)
  local value = order[name]
  if type(value) == 'string' then return value end
  return type(value) == 'number' and string.format('%.3f', value) or ''
end

local function drop(kind, why)
  local name, at = due and field('by') or '', due and due > 0 and due or 0
  redis.call('HSET', KEYS[3], 'missed',
    cjson.encode({by = name, reason = why, at = at, ['until'] = math.floor(now / 1000) + 86400}))
  redis.call('HDEL', KEYS[3], 'step-down')
  return {kind, text}
end

if not due then return drop('MISSED', 'what was ordered cannot be read') end
if left < -ARGV[2] then return drop('MISSED', 'there was no master in time to do it') end
if field('leaver') ~= '' and string.find(ARGV[1], field('leaver') .. '/', 1, true) ~= 1 then
  return drop('CHANGED', field('leaver') .. ' was not the master then')
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'event', 'step-down', 'token', ARGV[1],
  'to', field('to'), 'reason', field('reason'), 'by', field('by'), 'request', field('id'), 'hold', field('hold'),
  'force', order.force == true and '1' or '')
redis.call('HDEL', KEYS[3], 'step-down', 'missed')
redis.pcall('XADD', KEYS[4], 'MAXLEN', '~', 5000, '*', 'did', 'step-down', 'by', field('by'),
  'node', string.match(ARGV[1], '^[^/]*'), 'to', field('to'), 'reason', field('reason'))
return {'ASKED', text}
