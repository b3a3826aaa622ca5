-- While a message is being handled: queue replies made so far, note routes that are begun, and let its conversation go on
-- without it.
--
-- KEYS  1 ready (stream)  2 counters (hash)  3 outready (zset)  4 bell (list)  5 dead (stream)  6 said (hash)
--       7 detached (hash)
-- ARGV  1 group  2 consumer  3 most replies in an outbox  4 prefix of mailbox keys  5 prefix of outbox keys  6 token
--       7 conversation  8 id of the head  9 conversation to move it to, or ''  10 routes that begin, each on a line, or '';
--       before them may stand a line that begins with # and names this question
--       11.. for each reply: room, '<id>|<envelope>'; and at last, if you like, what a note says, with {room} where it names one
-- =>    {'LOST'} it is not this consumer's (any more)
--       {'HELD', said before} | {'QUEUED', said before} it waits behind others in the conversation it was moved to, and the
--       token still is that of the one it came from | {'DONE', said before} so it does, and as nothing is left where it
--       came from the token is given back
--       said before: ids of replies and routes begun, each between line feeds
--
-- Asked again under one name, as after a lost answer, what begins has not begun before.
-- After a move the token stands for the conversation the message was moved to, and the one it came from has another.
-- Of a reply that finds its outbox full and names another room as its origin, that one gets a note, if it has a place.
-- The trail, beside the counters, gets one entry for all that was done.

local ready, counters, outready, bell, dead, said, detached = unpack(KEYS)
local group, consumer, outbox_limit, mailboxes, outboxes = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local token, conversation, id, aside, begun = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]

if not redis.call('XPENDING', ready, group, token, token, 1, consumer)[1] then return {'LOST'} end
local before, mark = redis.call('HGET', said, id) or '\n', id .. '|'
if aside ~= '' and redis.call('HGET', detached, ready .. ' ' .. token) == aside then conversation, aside = aside, '' end
local head = redis.call('LINDEX', mailboxes .. conversation, 0)
if not head or string.sub(head, 1, #mark) ~= mark then return {'LOST'} end
for i = 11, #ARGV - 1, 2 do redis.call('LLEN', outboxes .. ARGV[i]) end
if aside ~= '' then redis.call('LLEN', mailboxes .. aside) end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = string.sub(begun, 1, 1) == '#' and string.find(before, '\n' .. begun, 1, true)
local ids, queued, ring, notes = known and before or before .. begun, 0, false, {}
local FULL = 'the outbox of the room is full'
local note_text = #ARGV % 2 == 1 and ARGV[#ARGV] or 'This could not be said in {room} (' .. FULL .. ')'
local trail, told = string.gsub(counters, 'counters$', 'trail'), {reply = {}, dead = {}, aside = {}}

-- What is told is noted in the trail: the id of a reply or of the message, and where it waits from now on or why.
local function tell(what, id, note)
  local list = told[what]
  list[#list + 1] = id .. '\t' .. string.gsub(string.sub(note, 1, 200), '%c', ' ')
end

-- What tells the room a reply came from that there was no place for it; a note about a note tells nobody.
local function make_note(room, id, item)
  local fine, reply = pcall(cjson.decode, string.sub(item, #id + 2))
  local origin = fine and type(reply) == 'table' and type(reply.origin) == 'string' and reply.origin or ''
  if origin == '' or origin == room or string.sub(id, -5) == '/note' then return end
  local said = type(reply.text) == 'string' and ': ' .. reply.text or ''
  if string.find(room, '/@', 1, true) then said = '' end  -- what was meant for one is not told to all
  if #said > 202 then said = string.gsub(string.sub(said, 1, 202), '[\192-\255][\128-\191]*$', '') .. '…' end
  local text = string.gsub(note_text, '{room}', function() return room end) .. said
  local note = {id = id .. '/note', room = origin, text = text, about = type(reply.about) == 'string' and reply.about or ''}
  notes[#notes + 1] = {origin, note.id, note.id .. '|' .. cjson.encode(note)}
end

local function queue_reply(room, reply, envelope)
  local length = redis.call('RPUSH', outboxes .. room, envelope)
  if length > outbox_limit then
    redis.call('RPOP', outboxes .. room)
    redis.call('XADD', dead, '*', 'kind', 'reply', 'origin', room, 'data', envelope, 'reason', FULL)
    tell('dead', reply, FULL)
    make_note(room, reply, envelope)
    return
  end
  queued = queued + 1
  tell('reply', reply, room)
  if length == 1 then
    redis.call('ZADD', outready, 'NX', now, room)
    ring = true
  end
end

-- Notes come after all replies, so that none takes the place of one; what cannot be written is not worth an error.
local function write_note(room, id, item)
  local length = redis.pcall('LLEN', outboxes .. room)
  if type(length) ~= 'number' or length >= outbox_limit then return end
  redis.call('RPUSH', outboxes .. room, item)
  queued = queued + 1
  tell('reply', id, room)
  if length == 0 then
    redis.call('ZADD', outready, 'NX', now, room)
    ring = true
  end
end

local function move_aside()
  local first = redis.call('RPUSH', mailboxes .. aside, head) == 1
  redis.call('LPOP', mailboxes .. conversation)
  tell('aside', id, aside)
  local more = redis.call('EXISTS', mailboxes .. conversation) == 1
  if first then
    redis.call('HSET', detached, ready .. ' ' .. token, aside)
    if more then redis.call('XADD', ready, '*', 'c', conversation) end
    return 'HELD'
  end
  if more then return 'QUEUED' end
  -- What is said there next brings a token of its own.
  redis.call('XACK', ready, group, token)
  redis.call('XDEL', ready, token)
  redis.call('HDEL', detached, ready .. ' ' .. token)
  return 'DONE'
end

for i = 11, #ARGV - 1, 2 do
  local reply = string.match(ARGV[i + 1], '^[^|]*')
  if not string.find(ids, '\n' .. reply .. '\n', 1, true) then
    queue_reply(ARGV[i], reply, ARGV[i + 1])
    ids = ids .. reply .. '\n'
  end
end
if ids ~= before then redis.call('HSET', said, id, ids) end
for _, note in ipairs(notes) do write_note(unpack(note)) end
if queued > 0 then redis.call('HINCRBY', counters, 'outgoing', queued) end
if ring and redis.call('LLEN', bell) == 0 then redis.call('RPUSH', bell, '1') end
local state = aside == '' and 'HELD' or move_aside()

local lines = {'node', consumer}
for _, what in ipairs({'reply', 'dead', 'aside'}) do
  if #told[what] > 0 then
    lines[#lines + 1] = what
    lines[#lines + 1] = table.concat(told[what], '\n')
  end
end
-- What cannot be noted has happened all the same.
if #lines > 2 then redis.pcall('XADD', trail, 'MAXLEN', '~', 10000, '*', unpack(lines)) end
return {state, known and string.sub(before, 1, known) .. string.sub(before, known + #begun + 1) or before}
