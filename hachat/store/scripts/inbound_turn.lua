-- A worker's turn: it finishes messages at the heads of their mailboxes, each one's replies, removal and dead letter all
-- or nothing, looks at the heads of others, and takes conversations that are ready.
--
-- KEYS  1 ready (stream)  2 counters (hash)  3 outready (zset)  4 bell (list)  5 deaths (hash)  6 dead (stream)
-- ARGV  1 group  2 consumer  3 lane  4 most replies in an outbox  5 prefix of mailbox keys  6 prefix of outbox keys
--       7 conversations to take beyond as many as are given back, or '' to take none  8 number of messages
--       9.. for each: token (entry of ready), conversation, id of the head or '' to look only, '1' to let other
--       conversations go first when more is waiting, reason to give the message up or '', number of replies, and for
--       each of these: room, '<id>|<envelope>'
-- =>    for each message: what became of it, and the head that now waits or ''
--       'MORE' is waiting and the token is still held | 'DONE' the token is given back
--       'GONE' the token is held, but another head is waiting: that one was finished before
--       'LOST' the token is not this consumer's (any more): nothing was done, discard everything | an error: nothing was
--       and for each conversation taken: token, conversation, head or '' if that is yet to be looked at
--
-- The expected head makes a repeated turn harmless: without it the next message would be popped.

local ready, counters, outready, bell, deaths, dead = unpack(KEYS)
local group, consumer, lane = ARGV[1], ARGV[2], ARGV[3]
local outbox_limit, mailboxes, outboxes = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local given_back, finished = {}, {}
local queued, ring = 0, false
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function queue_reply(room, envelope)
  local outbox = outboxes .. room
  local length = redis.call('RPUSH', outbox, envelope)
  if length > outbox_limit then
    redis.call('RPOP', outbox)
    redis.call('XADD', dead, '*', 'kind', 'reply', 'origin', room, 'data', envelope, 'reason', 'the outbox of the room is full')
    return
  end
  queued = queued + 1
  if length == 1 then
    redis.call('ZADD', outready, 'NX', now, room)
    ring = true
  end
end

local function finish(token, conversation, id, give_way, reason, first, last)
  if not redis.call('XPENDING', ready, group, token, token, 1, consumer)[1] then return 'LOST', '' end
  local mailbox, mark = mailboxes .. conversation, id .. '|'
  local head, next = unpack(redis.call('LRANGE', mailbox, 0, 1))
  if head and id == '' then return 'MORE', head end
  if head and string.sub(head, 1, #mark) ~= mark then return 'GONE', head end
  if head then
    -- An error must leave the message in its place and none of its replies queued: only the first may still be refused.
    for i = first + 2, last, 2 do redis.call('LLEN', outboxes .. ARGV[i]) end
    for i = first, last, 2 do queue_reply(ARGV[i], ARGV[i + 1]) end
    if reason ~= '' then
      redis.call('XADD', dead, '*', 'kind', 'message', 'origin', conversation, 'data', head, 'reason', reason)
    end
    redis.call('LPOP', mailbox)
    finished[#finished + 1] = id
    if next and give_way ~= '1' then return 'MORE', next end
    if next then redis.call('XADD', ready, '*', 'c', conversation) end
  end
  given_back[#given_back + 1] = token
  return 'DONE', ''
end

local answers, i = {}, 9
for _ = 1, ARGV[8] do
  local first, last = i + 6, i + 5 + 2 * ARGV[i + 5]
  local fine, verdict, head = pcall(finish, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], first, last)
  if not fine then verdict, head = type(verdict) == 'table' and verdict or {err = verdict}, '' end
  answers[#answers + 1] = verdict
  answers[#answers + 1] = head
  i = last + 1
end

local room = ARGV[7] == '' and 0 or ARGV[7] + #given_back
if room > 0 then
  -- An error (no such group) must not undo the answers; whoever reads the stream makes the group.
  local read = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', room, 'STREAMS', ready, '>')
  for _, entry in ipairs(read and read[1] and read[1][2] or {}) do
    local token, conversation = entry[1], entry[2][2]
    local head = redis.pcall('LINDEX', mailboxes .. conversation, 0)
    if head then
      answers[#answers + 1] = token
      answers[#answers + 1] = conversation
      answers[#answers + 1] = type(head) == 'string' and head or ''  -- what is no mailbox is told of when it is looked at
    else
      given_back[#given_back + 1] = token
    end
  end
end

if #finished > 0 then
  redis.call('HDEL', deaths, unpack(finished))
  redis.call('HINCRBY', counters, 'waiting:' .. lane, -#finished)
end
if #given_back > 0 then
  redis.call('XACK', ready, group, unpack(given_back))
  redis.call('XDEL', ready, unpack(given_back))
end
if queued > 0 then redis.call('HINCRBY', counters, 'outgoing', queued) end
if ring and redis.call('LLEN', bell) == 0 then redis.call('RPUSH', bell, '1') end
return answers
