-- Queue messages and webhooks of one lane, each in the mailbox of its conversation.
--
-- KEYS  1 ready (stream)  2 counters (hash)  3 refused (hash)
-- ARGV  1 lane  2 most messages in the lane  3 most in a mailbox  4 life of a mark in seen, ms  5 prefix of seen keys
--       6 prefix of mailbox keys  7.. for each: source, conversation, '<id>|<envelope>'
-- =>    for each: 'OK' | 'DUP' queued before | 'FULL' the lane is | 'BUSY' the mailbox is | an error
--       Only OK leaves a trace, but it is noted what refused last; the trail, beside the counters, gets one entry for all of
--       them.

local ready, counters, refused = unpack(KEYS)
local counter = 'waiting:' .. ARGV[1]
local depth, mailbox_limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local before = tonumber(redis.call('HGET', counters, counter) or '0')
local queued, noted, last = 0, {}, {}
local trail = string.gsub(counters, 'counters$', 'trail')

local function refuse(seen, answer, what, name)
  redis.call('DEL', seen)
  if what then last[what .. ':' .. ARGV[1]] = name end
  return answer
end

local function enqueue(source, conversation, item)
  local seen, mailbox = ARGV[5] .. source, ARGV[6] .. conversation
  -- First what Redis refuses when memory is short: then nothing has been written yet.
  if not redis.call('SET', seen, '', 'NX', 'PX', ARGV[4]) then return 'DUP' end
  if before + queued >= depth then return refuse(seen, 'FULL', 'lane', ARGV[1]) end
  local waiting = redis.pcall('RPUSH', mailbox, item)
  if type(waiting) == 'table' then return refuse(seen, waiting) end
  if waiting > mailbox_limit then
    redis.call('RPOP', mailbox)
    return refuse(seen, 'BUSY', 'mailbox', conversation)
  end
  local entry = waiting > 1 or redis.pcall('XADD', ready, '*', 'c', conversation)
  if type(entry) == 'table' then
    redis.call('RPOP', mailbox)
    return refuse(seen, entry)
  end
  queued = queued + 1
  local place = string.find(conversation, '%c') and string.gsub(conversation, '%c', ' ') or conversation
  noted[queued] = string.match(item, '^[^|]*') .. '\t' .. place
  return 'OK'
end

local answers = {}
for i = 7, #ARGV, 3 do
  local fine, answer = pcall(enqueue, ARGV[i], ARGV[i + 1], ARGV[i + 2])
  answers[#answers + 1] = (fine or type(answer) == 'table') and answer or {err = answer}
end
-- What cannot be noted has been refused all the same.
for field, name in pairs(last) do
  local time = redis.call('TIME')
  redis.pcall('HSET', refused, field, string.format('%.0f|', time[1] * 1000 + math.floor(time[2] / 1000)) .. name)
end
if queued > 0 then
  redis.call('HINCRBY', counters, counter, queued)
  -- What cannot be noted has been queued all the same.
  redis.pcall('XADD', trail, 'MAXLEN', '~', 10000, '*', 'lane', ARGV[1], 'in', table.concat(noted, '\n'))
end
return answers
