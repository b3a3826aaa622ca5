-- Finish messages at the heads of their mailboxes: each one's replies, removal and dead letter, all or nothing; and
-- look at the heads of others.
--
-- KEYS  1 ready (stream)  2 counters (hash)  3 outready (zset)  4 bell (list)  5 deaths (hash)  6 dead (stream)
-- ARGV  1 group  2 consumer  3 lane  4 most replies in an outbox  5 prefix of mailbox keys  6 prefix of outbox keys
--       7.. for each: token (entry of ready), conversation, id of the head or '' to look only, '1' to let other
--       conversations go first when more is waiting, reason to give the message up or '', number of replies, and for
--       each of these: room, '<id>|<envelope>'
-- =>    for each: what became of it, and the head that now waits or ''
--       'MORE' is waiting and the token is still held | 'DONE' the token is given back
--       'GONE' the token is held, but another head is waiting: that one was finished before
--       'LOST' the token is not this consumer's (any more): nothing was done, discard everything | an error: nothing was
--
-- The expected head makes a repeated commit harmless: without it the next message would be popped.

local ready, counters, outready, bell, deaths, dead = unpack(KEYS)
local group, consumer, lane = ARGV[1], ARGV[2], ARGV[3]
local outbox_limit = tonumber(ARGV[4])
local held, given_back, finished = {}, {}, {}
local queued, ring = 0, false

for _, entry in ipairs(redis.call('XPENDING', ready, group, '-', '+', 10000, consumer)) do held[entry[1]] = true end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function give_back(token)
  held[token] = nil
  given_back[#given_back + 1] = token
end

local function queue_reply(room, envelope, lengths)
  if lengths[room] >= outbox_limit then
    redis.call('XADD', dead, '*', 'kind', 'reply', 'origin', room, 'data', envelope, 'reason', 'the outbox of the room is full')
    return
  end
  redis.call('RPUSH', ARGV[6] .. room, envelope)
  queued = queued + 1
  if lengths[room] == 0 then
    redis.call('ZADD', outready, 'NX', now, room)
    ring = true
  end
  lengths[room] = lengths[room] + 1
end

local function finish(token, conversation, id, give_way, reason, first, last)
  if not held[token] then return 'LOST', '' end
  local mailbox = ARGV[5] .. conversation
  local head, mark = redis.call('LINDEX', mailbox, 0), id .. '|'
  if head and id == '' then return 'MORE', head end
  if head and string.sub(head, 1, #mark) ~= mark then return 'GONE', head end
  if head then
    -- Whatever may be refused comes first: an error leaves the message in its place and none of its replies queued.
    local lengths = {}
    for i = first, last, 2 do lengths[ARGV[i]] = lengths[ARGV[i]] or redis.call('LLEN', ARGV[6] .. ARGV[i]) end
    for i = first, last, 2 do queue_reply(ARGV[i], ARGV[i + 1], lengths) end
    if reason ~= '' then
      redis.call('XADD', dead, '*', 'kind', 'message', 'origin', conversation, 'data', head, 'reason', reason)
    end
    redis.call('LPOP', mailbox)
    finished[#finished + 1] = id
    head = redis.call('LINDEX', mailbox, 0)
    if head and give_way ~= '1' then return 'MORE', head end
    if head then redis.call('XADD', ready, '*', 'c', conversation) end
  end
  give_back(token)
  return 'DONE', ''
end

local answers, i = {}, 7
while i < #ARGV do
  local first, last = i + 6, i + 5 + 2 * ARGV[i + 5]
  local fine, verdict, head = pcall(finish, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], first, last)
  if not fine then verdict, head = type(verdict) == 'table' and verdict or {err = verdict}, '' end
  answers[#answers + 1] = verdict
  answers[#answers + 1] = head
  i = last + 1
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
