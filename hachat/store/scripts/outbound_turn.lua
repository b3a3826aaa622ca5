-- The master's turn: it reports what became of the heads it took, and takes the heads of rooms that are due, noting
-- for each that it may be sending it.
--
-- KEYS  1 lease (string)  2 outready (zset)  3 intent (hash)  4 counters (hash)  5 dead (stream)  6 trail (stream)
--       7 deferred (hash)  8 turn (string)
-- ARGV  1 token of the lease  2 most rooms to take  3 ms until a room is looked at again if nothing is heard of it
--       4 prefix of outbox keys  5 most replies in an outbox  6 ms an answer is kept  7 most answers kept, about
--       8 number of this turn, each of a term higher than the one before  9 number of reports  10.. for each: room, id of its head, 'sent' | 'defer' | 'doubt' | 'dead', ms until
--       the room may send again, reason for the dead letters and for whoever asks why a room waits; then for each of
--       those that have a consequence: id of the head, what is put where: room of a note or '', key of answers or '', envelope
-- =>    'FENCED' | {-1} if a later turn came before it | {ms until the next room is due or -1, and for each room taken: room, head or an error, '1' if it is in doubt
--       or ''}
--
-- A turn that was delayed on its way is void: the next one made its reports again, and may have taken the same heads.
-- A report of another head than the room's was made before, and changes nothing.  A master that was deposed may still
-- report a send it truly made, as long as nobody doubts it or has taken the room: that spares the room a doubt.
-- A report's consequence (a note about a dead letter, the answer to a call) comes about with it, so once.

local outready, intents, counters = KEYS[2], KEYS[3], KEYS[4]
local token, hold, outboxes = ARGV[1], ARGV[3], ARGV[4]
local leads = redis.call('GET', KEYS[1]) == token
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local written_now, held_until = string.format('%.0f', now), string.format('%.0f', now + hold)
local popped, doubts, settled, empty, later, consequences = 0, 0, {}, {}, {}, {}
local reported, follow = 9 + 5 * ARGV[9], {}
for i = reported + 1, #ARGV, 4 do follow[ARGV[i]] = i end
local told, deferred = {sent = {}, dead = {}, doubt = {}}, {}

-- One call for all of a kind; the lists are as short as a turn.
local function call_for(list, command, key)
  if #list > 0 then redis.call(command, key, unpack(list)) end
end

local function report(room, id, outcome, after, reason)
  if not leads and not (outcome == 'sent' and redis.call('HGET', intents, room) == token) then return end
  local outbox, mark = outboxes .. room, id .. '|'
  local head, next = unpack(redis.pcall('LRANGE', outbox, 0, 1))
  if not head or string.sub(head, 1, #mark) ~= mark then return end
  local why = reason ~= '' and string.gsub(string.sub(reason, 1, 200), '%c', ' ') or ''
  local at = after == '0' and written_now or string.format('%.0f', now + after)
  if outcome == 'defer' then
    deferred[#deferred + 1] = room
    deferred[#deferred + 1] = at .. '|' .. why
  elseif told[outcome] then
    table.insert(told[outcome], id .. '\t' .. why)
  end
  if outcome == 'dead' then
    redis.call('XADD', KEYS[5], '*', 'kind', 'reply', 'origin', room, 'data', head, 'reason', reason)
  end
  if outcome == 'sent' or outcome == 'dead' then
    redis.call('LPOP', outbox)
    popped = popped + 1
    head = next
    consequences[#consequences + 1] = follow[id]
  end
  if outcome == 'doubt' then
    if redis.call('HGET', intents, room) ~= 'doubt' then doubts = doubts + 1 end
    redis.call('HSET', intents, room, 'doubt')
  else
    settled[#settled + 1] = room
  end
  if head then
    later[#later + 1] = at
    later[#later + 1] = room
  else
    empty[#empty + 1] = room
  end
end

-- What cannot be written here is not worth an error, which would leave the turn half done.
local function write_note(room, envelope)
  local outbox = outboxes .. room
  local length = redis.pcall('LLEN', outbox)
  if type(length) ~= 'number' or length >= tonumber(ARGV[5]) then return end
  redis.call('RPUSH', outbox, envelope)
  popped = popped - 1
  if length == 0 then redis.call('ZADD', outready, 'NX', now, room) end
end

local function answer(key, envelope)
  local added = redis.pcall('XADD', key, 'MAXLEN', '~', ARGV[7], '*', 'json', envelope)
  if type(added) == 'string' then redis.call('PEXPIRE', key, ARGV[6]) end
end

-- Redis that is out of memory lets a script go on which began with a write that needs none, and what is sent frees some.
if leads then
  redis.call('HDEL', intents, '')
  local mark, last = token .. ' ', redis.call('GET', KEYS[8])
  if last and string.sub(last, 1, #mark) == mark and tonumber(string.sub(last, #mark + 1)) >= tonumber(ARGV[8]) then return {-1} end
  redis.call('SET', KEYS[8], mark .. ARGV[8])
end
for i = 10, reported, 5 do report(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]) end
call_for(settled, 'HDEL', intents)
call_for(later, 'ZADD', outready)
call_for(empty, 'ZREM', outready)
for _, i in ipairs(consequences) do
  if ARGV[i + 1] ~= '' then write_note(ARGV[i + 1], ARGV[i + 3]) else answer(ARGV[i + 2], ARGV[i + 3]) end
end
if popped ~= 0 then redis.call('HINCRBY', counters, 'outgoing', -popped) end
-- What follows is for people to look at; where it cannot be noted, the turn goes on.
if #deferred > 0 then redis.pcall('HSET', KEYS[7], unpack(deferred)) end
if #empty > 0 then redis.pcall('HDEL', KEYS[7], unpack(empty)) end
local lines = {}
for _, outcome in ipairs({'sent', 'dead', 'doubt'}) do
  if #told[outcome] > 0 then
    lines[#lines + 1] = outcome
    lines[#lines + 1] = table.concat(told[outcome], '\n')
  end
end
if #lines > 0 then redis.pcall('XADD', KEYS[6], 'MAXLEN', '~', 10000, '*', unpack(lines)) end
if not leads then return 'FENCED' end

local rooms = redis.call('ZRANGEBYSCORE', outready, '-inf', now, 'LIMIT', 0, ARGV[2])
local notes = #rooms > 0 and redis.call('HMGET', intents, unpack(rooms))
local taken, noted, held, stale = {-1}, {}, {}, {}
for i, room in ipairs(rooms) do
  local head = redis.pcall('LINDEX', outboxes .. room, 0)
  if head then
    -- A note of this very token is of a turn whose answer was lost, so nothing was sent; a doubt outlives such a turn.
    local in_doubt = notes[i] and notes[i] ~= token
    if in_doubt and notes[i] ~= 'doubt' then doubts = doubts + 1 end
    taken[#taken + 1] = room
    taken[#taken + 1] = head
    taken[#taken + 1] = in_doubt and '1' or ''
    noted[#noted + 1] = room
    noted[#noted + 1] = in_doubt and 'doubt' or token
    held[#held + 1] = held_until
    held[#held + 1] = room
  else
    stale[#stale + 1] = room
  end
end
call_for(noted, 'HSET', intents)
call_for(held, 'ZADD', outready)
call_for(stale, 'ZREM', outready)
call_for(stale, 'HDEL', intents)
if doubts > 0 then redis.call('HINCRBY', counters, 'doubts', doubts) end
local next = redis.call('ZRANGE', outready, 0, 0, 'WITHSCORES')
if next[2] then taken[1] = math.max(0, tonumber(next[2]) - now) end
return taken
