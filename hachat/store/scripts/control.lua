-- Write down what an operator orders, or take it back; nodes hear of it by the stream of events.
--
-- KEYS  1 control (hash)  2 events (stream)  3 audit (stream)
-- ARGV  1 field  2 the directive, JSON, or empty to take it back
--       3 what that is called in the audit trail  4 who orders it, or empty  5 node, or empty  6 reason, or empty
--
-- =>    1 done | 0 it was so already, and nobody hears of it again
--
-- A directive whose time is over is in nobody's way; it is removed with the next change.

local time = redis.call('TIME')
local function is_over(text)
  local fine, directive = pcall(cjson.decode, text)
  local ends = fine and type(directive) == 'table' and tonumber(directive['until'])
  return ends and ends <= time[1] + time[2] / 1000000
end

local now = redis.call('HGETALL', KEYS[1])
local wanted = ARGV[2] ~= '' and ARGV[2] or nil
local present, over = nil, {}
for i = 1, #now, 2 do
  if now[i] == ARGV[1] then
    present = now[i + 1]
  elseif is_over(now[i + 1]) then
    over[#over + 1] = now[i]
  end
end
if present == wanted then return 0 end

redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'event', 'control', 'field', ARGV[1])
for _, field in ipairs(over) do redis.call('HDEL', KEYS[1], field) end
if wanted then
  redis.call('HSET', KEYS[1], ARGV[1], wanted)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', 5000, '*',
  'did', ARGV[3], 'by', ARGV[4], 'node', ARGV[5], 'reason', ARGV[6])
return 1
