-- What waits where, at one moment; changes nothing.  However much waits, only so many boxes are looked at.
--
-- KEYS  1 counters (hash)  2 outready (zset)  3 intent (hash)  4 deferred (hash)  5 dead (stream)  6 detached (hash)
--       7.. ready (stream) of each lane
-- ARGV  1 group  2 prefix of mailbox keys  3 prefix of outbox keys  4 most boxes of a kind to look at
--       5 most boxes of a kind to tell of  6 bytes of a head that tell its age
-- =>    {now ms, counters, dead letters, for each lane: {mailboxes, {consumer, tokens, ...} in hand, boxes looked at, oldest
--        head, {name, length, head, ...} the longest}, {rooms, boxes looked at, oldest head, {name, length, head, ...} the
--        longest, being sent, in doubt, deferred, {room, not before ms, '<not before>|<why>' or '', length, ...} deferred}}

local look, tell, bytes = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function length_of(key)
  local length = redis.pcall('LLEN', key)
  return type(length) == 'number' and length or 0
end

local function head_of(key)
  local head = redis.pcall('LINDEX', key, 0)
  return type(head) == 'string' and string.sub(head, 1, bytes) or ''
end

-- The longest of some boxes, and of these and of the first, which waits longest for its turn, the oldest head.
local function rank(names, prefix)
  local boxes, told = {}, {}
  local oldest = names[1] and head_of(prefix .. names[1]) or ''
  for _, name in ipairs(names) do boxes[#boxes + 1] = {name, length_of(prefix .. name)} end
  table.sort(boxes, function(a, b) return a[2] > b[2] or (a[2] == b[2] and a[1] < b[1]) end)
  for i = 1, math.min(tell, #boxes) do
    local name, length = boxes[i][1], boxes[i][2]
    local head = head_of(prefix .. name)
    if head ~= '' and (oldest == '' or head < oldest) then oldest = head end
    if length > 0 then
      told[#told + 1] = name
      told[#told + 1] = length
      told[#told + 1] = head
    end
  end
  return oldest, told
end

local function in_hand(ready)
  if redis.call('EXISTS', ready) == 0 then return {} end
  local consumers = {}
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', ready)) do
    if group[2] == ARGV[1] then
      for _, one in ipairs(redis.call('XPENDING', ready, ARGV[1])[4] or {}) do
        consumers[#consumers + 1] = one[1]
        consumers[#consumers + 1] = one[2]
      end
    end
  end
  return consumers
end

local function look_at_lane(ready)
  local names, entries = {}, {}
  for _, entry in ipairs(redis.call('XRANGE', ready, '-', '+', 'COUNT', look)) do
    entries[#entries + 1] = entry[1]
    names[#names + 1] = entry[2][2] or ''
  end
  if redis.call('HLEN', KEYS[6]) > 0 then
    for i, entry in ipairs(entries) do names[i] = redis.call('HGET', KEYS[6], ready .. ' ' .. entry) or names[i] end
  end
  local oldest, longest = rank(names, ARGV[2])
  return {redis.call('XLEN', ready), in_hand(ready), #names, oldest, longest}
end

local function look_at_rooms()
  local rooms = redis.call('ZRANGE', KEYS[2], 0, look - 1)
  local oldest, longest = rank(rooms, ARGV[3])
  local noted, doubtful, waiting, told = redis.call('HLEN', KEYS[3]), 0, 0, {}
  local scored = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, look)
  for _, note in ipairs(noted <= look and redis.call('HVALS', KEYS[3]) or {}) do
    if note == 'doubt' then doubtful = doubtful + 1 end
  end
  for i = 1, #scored, 2 do
    local room = scored[i]
    if redis.call('HEXISTS', KEYS[3], room) == 0 then
      waiting = waiting + 1
      if waiting <= tell then
        told[#told + 1] = room
        told[#told + 1] = scored[i + 1]
        told[#told + 1] = redis.call('HGET', KEYS[4], room) or ''
        told[#told + 1] = length_of(ARGV[3] .. room)
      end
    end
  end
  return {redis.call('ZCARD', KEYS[2]), #rooms, oldest, longest, noted - doubtful, doubtful, waiting, told}
end

local answer = {now, redis.call('HGETALL', KEYS[1]), redis.call('XLEN', KEYS[5])}
for i = 7, #KEYS do answer[#answer + 1] = look_at_lane(KEYS[i]) end
answer[#answer + 1] = look_at_rooms()
return answer
