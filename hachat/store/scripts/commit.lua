-- Finish the message at the head of a mailbox: its replies, its removal, its dead letter; all or nothing.
--
-- KEYS  1 ready (stream)  2 mailbox (list)  3 counters (hash)  4 outready (zset)  5 bell (list)  6 deaths (hash)
--       7 dead (stream)  8.. outbox (list) of each reply, repeats allowed
-- ARGV  1 group  2 token: entry of ready  3 consumer  4 conversation  5 id of the head  6 lane
--       7 '1' to let other conversations go first when more is waiting  8 most replies in an outbox
--       9 reason to give the message up, or ''  10.. for each reply: room, '<id>|<envelope>'
-- =>    'MORE' is waiting and the token is still held | 'DONE' the token is given back
--       'GONE' the token is held, but that head was finished before: look at the mailbox again
--       'LOST' the token is not this consumer's (any more): nothing was done, discard everything
--
-- The expected head makes a repeated commit harmless: without it the next message would be popped.

local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] then return 'LOST' end
local head, mark = redis.call('LINDEX', KEYS[2], 0), ARGV[5] .. '|'
if not head or string.sub(head, 1, #mark) ~= mark then return 'GONE' end

local replies, limit, queued = (#ARGV - 9) / 2, tonumber(ARGV[8]), 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ring = false
for i = 1, replies do
  local outbox, room, envelope = KEYS[7 + i], ARGV[8 + 2 * i], ARGV[9 + 2 * i]
  local length = redis.call('LLEN', outbox)
  if length >= limit then
    redis.call('XADD', KEYS[7], '*', 'kind', 'reply', 'origin', room, 'data', envelope, 'reason', 'the outbox of the room is full')
  else
    redis.call('RPUSH', outbox, envelope)
    queued = queued + 1
    if length == 0 then redis.call('ZADD', KEYS[4], 'NX', now, room); ring = true end
  end
end
if queued > 0 then redis.call('HINCRBY', KEYS[3], 'outgoing', queued) end
if ring and redis.call('LLEN', KEYS[5]) == 0 then redis.call('RPUSH', KEYS[5], '1') end
if ARGV[9] ~= '' then
  redis.call('XADD', KEYS[7], '*', 'kind', 'message', 'origin', ARGV[4], 'data', head, 'reason', ARGV[9])
end

-- The removal comes last: an error above leaves the message in its place.
redis.call('HDEL', KEYS[6], ARGV[5])
redis.call('LPOP', KEYS[2])
redis.call('HINCRBY', KEYS[3], 'waiting:' .. ARGV[6], -1)
local more = redis.call('EXISTS', KEYS[2]) == 1
if more and ARGV[7] ~= '1' then return 'MORE' end
if more then redis.call('XADD', KEYS[1], '*', 'c', ARGV[4]) end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 'DONE'
