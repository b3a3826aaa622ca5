-- A worker's turn: it finishes messages at the heads of their mailboxes, each one's replies, later work, removal and dead
-- letter all or nothing, looks at the heads of others, and takes conversations that are ready.
--
-- KEYS  1 ready (stream)  2 counters (hash)  3 outready (zset)  4 bell (list)  5 deaths (hash)  6 dead (stream)
--       7 said (hash)  8 detached (hash)  9 jobs (zset)  10 jobdata (hash)
-- ARGV  1 group  2 consumer  3 lane  4 most replies in an outbox  5 prefix of mailbox keys  6 prefix of outbox keys
--       7 conversations to take beyond as many as are given back, or '' to take none  8 most jobs that wait
--       9 number of messages  10.. for each: token (entry of ready), conversation, id of the head or '' to look only, and
--       '<number of replies> <number of things to be done later> <flags> <number of questions, 0 if left out>'; with the flag d,
--       the reason why the message is dead, and '<id>|<envelope>' of its letter or '' for the message as it is; with the flag c,
--       place and id of the question that is closed, and '<id>|<envelope>' of what is now at the head or '' for nothing; for each
--       reply: room, '<id>|<envelope>'; for each later thing: job id, ms, jobdata or '' to cancel the job; for each question that
--       is asked: place, '<id>|<question>'.  Flag w lets other conversations and nodes go first when more is waiting, flag a
--       tells that the message is to be tried again; and at last, if you like, what a note says, with {room} where it names one
-- =>    for each message: what became of it, and the head that now waits or ''
--       'MORE' is waiting and the token is still held | 'DONE' the token is given back
--       'GONE' the token is held, but another head is waiting: that one was finished before
--       'LOST' the token is not this consumer's (any more): nothing was done, discard everything | an error: nothing was
--       and for each conversation taken: token, conversation, head or '' if that is yet to be looked at
--       and 'ASKED' if questions are open, in the hash dialogs beside the counters: a head may be the answer to one
--
-- The expected head makes a repeated turn harmless: without it the next message would be popped.  A reply that was queued
-- before, early or in another attempt, is not queued again; what is to be tried again keeps the list of them.  Of a reply
-- that finds its outbox full and names another room as its origin, that one gets a note, if it has a place.  A new job
-- beyond the limit becomes a dead letter, except another try of the message itself, which takes that one's place.  Where the
-- question to be closed is not open (any more) nothing is done, and the answer is 'MORE' with the same head.

local ready, counters, outready, bell, deaths, dead, said, detached, jobs, jobdata = unpack(KEYS)
local group, consumer, lane = ARGV[1], ARGV[2], ARGV[3]
local outbox_limit, mailboxes, outboxes, most_jobs = tonumber(ARGV[4]), ARGV[5], ARGV[6], tonumber(ARGV[8])
local given_back, finished, replaced = {}, {}, 0
local queued, due, mine, notes = 0, {}, {}, {}
local FULL = 'the outbox of the room is full'
local note_text = 'This could not be said in {room} (' .. FULL .. ')'
local trail, told = string.gsub(counters, 'counters$', 'trail'), {reply = {}, dead = {}, finished = {}, taken = {}}
local dialogs = string.gsub(counters, 'counters$', 'dialogs')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local written_now = string.format('%.0f', now)  -- once: it costs more than a command

-- What is told is noted in the trail: for each message or reply its id, and where it waits from now on or why.
local function tell(what, id, note)
  local list = told[what]
  if #note > 200 or string.find(note, '%c') then note = string.gsub(string.sub(note, 1, 200), '%c', ' ') end
  list[#list + 1] = id .. '\t' .. note
end

local function name(item) return string.match(item, '^[^|]*') end

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

local function queue_reply(room, id, envelope)
  local outbox = outboxes .. room
  local length = redis.call('RPUSH', outbox, envelope)
  if length > outbox_limit then
    redis.call('RPOP', outbox)
    redis.call('XADD', dead, '*', 'kind', 'reply', 'origin', room, 'data', envelope, 'reason', FULL)
    tell('dead', id, FULL)
    make_note(room, id, envelope)
    return
  end
  queued = queued + 1
  tell('reply', id, room)
  if length == 1 then
    due[#due + 1] = written_now
    due[#due + 1] = room
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
    due[#due + 1] = written_now
    due[#due + 1] = room
  end
end

local function queue_replies(first, last, before)
  local ids = before or '\n'
  for i = first, last, 2 do
    local id = name(ARGV[i + 1])
    if not before or not string.find(before, '\n' .. id .. '\n', 1, true) then
      queue_reply(ARGV[i], id, ARGV[i + 1])
      ids = ids .. id .. '\n'
    end
  end
  return ids
end

-- Whether a token is this consumer's: most are among those that were asked for together.
local function holds(token)
  return mine[token] or redis.call('XPENDING', ready, group, token, token, 1, consumer)[1]
end

local function schedule(id, after, data, message)
  local refused = id ~= message .. '/again' and not redis.call('ZSCORE', jobs, id) and redis.call('ZCARD', jobs) >= most_jobs
  if not refused then
    redis.call('HSET', jobdata, id, data)
    redis.call('ZADD', jobs, string.format('%.0f', now + after), id)
    return
  end
  local length, rest = string.match(data, '^[^|]*|(%d+)|(.*)$')
  local item, reason = string.sub(rest, length + 1), string.format('%d jobs are waiting already', most_jobs)
  redis.call('XADD', dead, '*', 'kind', 'message', 'origin', string.sub(rest, 1, length), 'data', item, 'reason', reason)
  tell('dead', name(item), reason)
end

-- Whether a message's plan has a flag.
local function has(plan, flag) return string.find(plan.flags, flag, 1, true) end

local function is_open(place, id)
  local question = redis.call('HGET', dialogs, place)
  return question and string.sub(question, 1, #id + 1) == id .. '|'
end

local function finish(plan, aside, before)
  local token, conversation, id = unpack(ARGV, plan.first, plan.first + 2)
  if not holds(token) then return 'LOST', '' end
  -- A turn that was overtaken: the token stands for a message that has been moved since.
  if aside and aside ~= conversation then return 'LOST', '' end
  local mailbox, mark, first, middle, last = mailboxes .. conversation, id .. '|', plan.replies, plan.later, plan.asks - 1
  local give_way = has(plan, 'w')
  local head, next = unpack(redis.call('LRANGE', mailbox, 0, 1))
  if head and id == '' then
    if not give_way then
      tell('taken', name(head), '')
      return 'MORE', head
    end
    redis.call('XADD', ready, '*', 'c', conversation)
    head = nil
  end
  if head and string.sub(head, 1, #mark) ~= mark then return 'GONE', head end
  if head and plan.closes and not is_open(ARGV[plan.closes], ARGV[plan.closes + 1]) then return 'MORE', head end
  if head then
    -- An error must leave the message in its place and none of its replies queued: only the first may still be refused.
    for i = first + 2, middle - 1, 2 do redis.call('LLEN', outboxes .. ARGV[i]) end
    if last >= middle then redis.call('HLEN', jobdata) redis.call('ZCARD', jobs) redis.call('HLEN', said) end
    if plan.last > last then redis.call('HLEN', dialogs) end
    local ids = queue_replies(first, middle - 1, before)
    local again, given_up = has(plan, 'a'), has(plan, 'd')
    if given_up then
      local reason, letter = ARGV[plan.first + 4], ARGV[plan.first + 5]
      if letter == '' then letter = head end
      redis.call('XADD', dead, '*', 'kind', 'message', 'origin', conversation, 'data', letter, 'reason', reason)
      tell('dead', id, reason)
    end
    for i = middle, last, 3 do
      if ARGV[i + 2] == '' then
        redis.call('HDEL', jobdata, ARGV[i])
        redis.call('ZREM', jobs, ARGV[i])
      else
        schedule(ARGV[i], ARGV[i + 1], ARGV[i + 2], id)
      end
    end
    for i = plan.asks, plan.last, 2 do redis.call('HSET', dialogs, ARGV[i], ARGV[i + 1]) end
    local answered = plan.closes and ARGV[plan.closes + 2] or ''
    if plan.closes then redis.call('HDEL', dialogs, ARGV[plan.closes]) end
    if answered == '' then
      redis.call('LPOP', mailbox)
    else
      redis.call('LSET', mailbox, 0, answered)
      next, replaced = answered, replaced + 1
    end
    finished[#finished + 1] = id
    local note = again and 'something of it is to be tried again' or answered ~= '' and 'it answers ' .. name(answered) or ''
    if not given_up then tell('finished', id, note) end
    if again then redis.call('HSET', said, id, ids) elseif before then redis.call('HDEL', said, id) end
    if next and not give_way then
      tell('taken', name(next), '')
      return 'MORE', next
    end
    if next then redis.call('XADD', ready, '*', 'c', conversation) end
  end
  given_back[#given_back + 1] = token
  return 'DONE', ''
end

local count, plans, i = tonumber(ARGV[9]), {}, 10
for n = 1, count do
  local replies, later, flags, asks = string.match(ARGV[i + 3], '^(%d+) (%d+) (%a*) ?(%d*)$')
  local plan = {first = i, flags = flags, replies = string.find(flags, 'd', 1, true) and i + 6 or i + 4}
  if string.find(flags, 'c', 1, true) then plan.closes, plan.replies = plan.replies, plan.replies + 3 end
  plan.later = plan.replies + 2 * replies
  plan.asks = plan.later + 3 * later
  i = plan.asks + 2 * (tonumber(asks) or 0)
  plan.last, plans[n] = i - 1, plan
end
note_text = ARGV[i] or note_text

local early, asides, special = {}, {}, count > 0 and redis.call('EXISTS', said, detached) > 0
if special then
  local ids, tokens = {}, {}
  for n, plan in ipairs(plans) do ids[n], tokens[n] = ARGV[plan.first + 2], ready .. ' ' .. ARGV[plan.first] end
  early, asides = redis.call('HMGET', said, unpack(ids)), redis.call('HMGET', detached, unpack(tokens))
end
if count > 1 then
  for _, entry in ipairs(redis.call('XPENDING', ready, group, '-', '+', 2 * count, consumer)) do mine[entry[1]] = true end
end
if count > 0 then redis.call('ZCARD', outready) end  -- what is no set of rooms is found out before anything is written

local answers = {}
for n, plan in ipairs(plans) do
  local fine, verdict, head = pcall(finish, plan, asides[n], early[n])
  if not fine then verdict, head = type(verdict) == 'table' and verdict or {err = verdict}, '' end
  answers[#answers + 1] = verdict
  answers[#answers + 1] = head
end

local room = ARGV[7] == '' and 0 or ARGV[7] + #given_back
if room > 0 then
  -- An error (no such group) must not undo the answers; whoever reads the stream makes the group.
  local read = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', room, 'STREAMS', ready, '>')
  for _, entry in ipairs(read and read[1] and read[1][2] or {}) do
    local token, conversation = entry[1], entry[2][2]
    local head = redis.pcall('LINDEX', mailboxes .. conversation, 0)
    if head then
      if type(head) == 'string' then tell('taken', name(head), '') end
      answers[#answers + 1] = token
      answers[#answers + 1] = conversation
      answers[#answers + 1] = type(head) == 'string' and head or ''  -- what is no mailbox is told of when it is looked at
    else
      given_back[#given_back + 1] = token
    end
  end
end

for _, note in ipairs(notes) do write_note(unpack(note)) end
if #finished > 0 then
  redis.call('HDEL', deaths, unpack(finished))
  redis.call('HINCRBY', counters, 'waiting:' .. lane, replaced - #finished)
end
if #given_back > 0 then
  redis.call('XACK', ready, group, unpack(given_back))
  redis.call('XDEL', ready, unpack(given_back))
  if special then
    for n, token in ipairs(given_back) do given_back[n] = ready .. ' ' .. token end
    redis.call('HDEL', detached, unpack(given_back))
  end
end
if queued > 0 then redis.call('HINCRBY', counters, 'outgoing', queued) end
if #due > 0 then
  redis.call('ZADD', outready, 'NX', unpack(due))
  if redis.call('LLEN', bell) == 0 then redis.call('RPUSH', bell, '1') end
end
local lines = {'node', consumer}
for _, what in ipairs({'reply', 'dead', 'finished', 'taken'}) do
  if #told[what] > 0 then
    lines[#lines + 1] = what
    lines[#lines + 1] = table.concat(told[what], '\n')
  end
end
-- What cannot be noted has happened all the same.
if #lines > 2 then redis.pcall('XADD', trail, 'MAXLEN', '~', 10000, '*', unpack(lines)) end
if redis.call('EXISTS', dialogs) == 1 then answers[#answers + 1] = 'ASKED' end
return answers
