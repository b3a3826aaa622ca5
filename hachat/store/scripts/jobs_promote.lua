-- Move jobs that are due into the mailboxes of their conversations, each whole or not at all.
--
-- KEYS  1 jobs (zset)  2 jobdata (hash)  3 counters (hash)  4.. ready (stream) of each lane
-- ARGV  1 most jobs to move  2 ms until one that cannot be moved is tried again  3 prefix of mailbox keys
--       4.. name of each lane (so lane n is KEYS[n + 3] and ARGV[n + 3])
-- =>    {now ms, ms until the next is due or -1 if none waits, how many were moved, and for each that could not be: id, why}
--       The trail, beside the counters, gets one entry for each lane.

local jobs, jobdata, counters = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local trail = string.gsub(counters, 'counters$', 'trail')
local streams, noted = {}, {}
for i = 4, #ARGV do streams[ARGV[i]], noted[ARGV[i]] = KEYS[i], {} end

local function queue(data)
  local lane, length, rest = string.match(data, '^([^|]*)|(%d+)|(.*)$')
  if not lane or not streams[lane] then return 'it is written in a way this release cannot read' end
  local conversation = string.sub(rest, 1, length)
  local mailbox, item = ARGV[3] .. conversation, string.sub(rest, length + 1)
  local waiting = redis.pcall('RPUSH', mailbox, item)
  if type(waiting) == 'table' then return waiting.err end
  local entry = waiting > 1 or redis.pcall('XADD', streams[lane], '*', 'c', conversation)
  if type(entry) == 'table' then
    redis.call('RPOP', mailbox)
    return entry.err
  end
  redis.call('HINCRBY', counters, 'waiting:' .. lane, 1)
  table.insert(noted[lane], string.match(item, '^[^|]*') .. '\t' .. string.gsub(conversation, '%c', ' '))
end

redis.call('HLEN', counters)  -- what cannot be counted is not moved: it would be moved again and again
local answer = {now, -1, 0}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', jobs, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local data = redis.call('HGET', jobdata, id)
  local fault = data and queue(data)
  if fault then
    redis.call('ZADD', jobs, now + ARGV[2], id)
    answer[#answer + 1] = id
    answer[#answer + 1] = fault
  else
    redis.call('ZREM', jobs, id)
    redis.call('HDEL', jobdata, id)
    if data then answer[3] = answer[3] + 1 end
  end
end
for lane, entries in pairs(noted) do
  -- What cannot be noted has been queued all the same.
  if #entries > 0 then
    redis.pcall('XADD', trail, 'MAXLEN', '~', 10000, '*', 'lane', lane, 'in', table.concat(entries, '\n'))
  end
end
local next = redis.call('ZRANGE', jobs, 0, 0, 'WITHSCORES')
if next[2] then answer[2] = math.max(0, tonumber(next[2]) - now) end
return answer
