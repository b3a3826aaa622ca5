-- Take over the tokens of nodes whose node lease has run out, and give up messages that took too many nodes along.
--
-- KEYS  1 nodes (zset)  2 gone (hash)  3 deaths (hash)  4 dead (stream)  5 counters (hash)  6 said (hash)
--       7 detached (hash)  8.. ready (stream) of each lane
-- ARGV  1 group  2 consumer that takes over  3 most tokens to take  4 deaths until a message is given up
--       5 prefix of mailbox keys  6.. name of each lane (so lane n is KEYS[n + 7] and ARGV[n + 5]),
--       with '-' in front of one from which nothing is taken
-- =>    {lane, token, conversation, ...}
--       The trail, beside the counters, gets one entry for all that was given up.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken, room, given_up = {}, tonumber(ARGV[3]), {}

local function give_up(lane, mailbox, conversation, head, id, deaths)
  local reason = deaths .. ' nodes died while handling it'
  redis.call('XADD', KEYS[4], '*', 'kind', 'message', 'origin', conversation, 'data', head, 'reason', reason)
  redis.call('LPOP', mailbox)
  redis.call('HDEL', KEYS[3], id)
  redis.call('HDEL', KEYS[6], id)
  redis.call('HINCRBY', KEYS[5], 'waiting:' .. lane, -1)
  given_up[#given_up + 1] = id .. '\t' .. reason
end

local function take(lane, ready, token)
  local entry = redis.call('XRANGE', ready, token, token)[1]
  local conversation = entry and (redis.call('HGET', KEYS[7], ready .. ' ' .. token) or entry[2][2])
  local mailbox = entry and ARGV[5] .. conversation
  local head = entry and redis.pcall('LINDEX', mailbox, 0)  -- what is no mailbox is told of when it is looked at
  if type(head) == 'string' then
    local id = string.match(head, '^[^|]*')
    local deaths = redis.call('HINCRBY', KEYS[3], id, 1)
    if deaths >= tonumber(ARGV[4]) then
      give_up(lane, mailbox, conversation, head, id, deaths)
      head = redis.call('LINDEX', mailbox, 0)
    end
  end
  if not head then
    redis.call('XACK', ready, ARGV[1], token)
    redis.call('XDEL', ready, token)
    redis.call('HDEL', KEYS[7], ready .. ' ' .. token)
    return
  end
  redis.call('XCLAIM', ready, ARGV[1], ARGV[2], 0, token, 'JUSTID')
  taken[#taken + 1] = lane
  taken[#taken + 1] = token
  taken[#taken + 1] = conversation
  room = room - 1
end

local function take_all(lane, ready, name)
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', ready, ARGV[1])) do
    if consumer[2] == name then
      if room > 0 and string.sub(lane, 1, 1) ~= '-' then
        for _, entry in ipairs(redis.call('XPENDING', ready, ARGV[1], '-', '+', room, name)) do take(lane, ready, entry[1]) end
      end
      if #redis.call('XPENDING', ready, ARGV[1], '-', '+', 1, name) > 0 then return false end
      redis.call('XGROUP', 'DELCONSUMER', ready, ARGV[1], name)
    end
  end
  return true
end

-- Redis that is out of memory lets a script go on which began with a write that needs none.
redis.call('HDEL', KEYS[3], '')
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)) do
  if name ~= ARGV[2] then
    local empty = true
    for i = 8, #KEYS do empty = take_all(ARGV[i - 2], KEYS[i], name) and empty end
    if empty then
      redis.call('HSET', KEYS[2], name, redis.call('ZSCORE', KEYS[1], name))
      redis.call('ZREM', KEYS[1], name)
    end
  end
end
-- What cannot be noted has happened all the same.
if #given_up > 0 then
  local trail = string.gsub(KEYS[5], 'counters$', 'trail')
  redis.pcall('XADD', trail, 'MAXLEN', '~', 10000, '*', 'node', ARGV[2], 'dead', table.concat(given_up, '\n'))
end
return taken
