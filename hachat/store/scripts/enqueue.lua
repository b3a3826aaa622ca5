-- Queue messages and webhooks of one lane, each in the mailbox of its conversation.
--
-- KEYS  1 ready (stream)  2 counters (hash)
-- ARGV  1 lane  2 most messages in the lane  3 most in a mailbox  4 life of a mark in seen, ms  5 prefix of seen keys
--       6 prefix of mailbox keys  7.. for each: source, conversation, '<id>|<envelope>'
-- =>    for each: 'OK' | 'DUP' queued before | 'FULL' the lane is | 'BUSY' the mailbox is | an error
--       Only OK leaves a trace; the trail, beside the counters, gets one entry for all of them.

local ready, counters = KEYS[1], KEYS[2]
local counter = 'waiting:' .. ARGV[1]
local depth, mailbox_limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local before = tonumber(redis.call('HGET', counters, counter) or '0')
local queued, noted = 0, {}
local trail = string.gsub(counters, 'counters$', 'trail')

local function refuse(seen, answer)
  redis.call('DEL', seen)
  return answer
end

local function enqueue(source, conversation, item)
  local seen, mailbox = ARGV[5] .. source, ARGV[6] .. conversation
  -- First what Redis refuses when memory is short: then nothing has been written yet.
  if not redis.call('SET', seen, '', 'NX', 'PX', ARGV[4]) then return 'DUP' end
  if before + queued >= depth then return refuse(seen, 'FULL') end
  local waiting = redis.pcall('RPUSH', mailbox, item)
  if type(waiting) == 'table' then return refuse(seen, waiting) end
  if waiting > mailbox_limit then
    redis.call('RPOP', mailbox)
    return refuse(seen, 'BUSY')
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
if queued > 0 then
  redis.call('HINCRBY', counters, counter, queued)
  -- What cannot be noted has been queued all the same.
  redis.pcall('XADD', trail, 'MAXLEN', '~', 10000, '*', 'lane', ARGV[1], 'in', table.concat(noted, '\n'))
end
return answers
