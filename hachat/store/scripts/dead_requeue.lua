-- Put a dead message back into its mailbox, once: in the same step its dead letter goes, and what is known of its deaths.
--
-- KEYS  1 dead (stream)  2 mailbox (list)  3 ready (stream)  4 counters (hash)  5 deaths (hash)  6 said (hash)
--       7 trail (stream)  8 audit (stream)
-- ARGV  1 entry of dead  2 lane  3 most messages in the lane  4 most in the mailbox  5 conversation  6 id
--       7 '<id>|<envelope>'  8 who asked for it  9.. routes that are run again, none for all
-- =>    'DONE' | 'GONE' there is no such entry (any more) | 'FULL' the lane is | 'BUSY' the mailbox is
--       Only DONE changes anything.

local dead, mailbox, ready, counters = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local counter = 'waiting:' .. ARGV[2]

-- Other routes may still be tried again by themselves: what they have said and begun stays known.
local function forget_said(said, id)
  local before, again, kept = redis.pcall('HGET', said, id), {robot = true}, '\n'
  for i = 9, #ARGV do again[ARGV[i]] = true end
  if #ARGV >= 9 and type(before) == 'string' then
    for line in string.gmatch(before, '[^\n]+') do
      local route = string.match(line, '([^/]*)/[^/]*$') or line
      if not again[route] then kept = kept .. line .. '\n' end
    end
  end
  if kept == '\n' then redis.pcall('HDEL', said, id) else redis.pcall('HSET', said, id, kept) end
end

if not redis.call('XRANGE', dead, ARGV[1], ARGV[1])[1] then return 'GONE' end
if tonumber(redis.call('HGET', counters, counter) or '0') >= tonumber(ARGV[3]) then return 'FULL' end
local length = redis.call('LLEN', mailbox)
if length >= tonumber(ARGV[4]) then return 'BUSY' end
redis.call('XLEN', ready)  -- a key of another type is an error before anything has been written

-- First what Redis refuses when memory is short: then nothing has been written yet.
redis.call('RPUSH', mailbox, ARGV[7])
redis.call('XDEL', dead, ARGV[1])
if length == 0 then redis.call('XADD', ready, '*', 'c', ARGV[5]) end
redis.call('HINCRBY', counters, counter, 1)
redis.pcall('HDEL', KEYS[5], ARGV[6])
forget_said(KEYS[6], ARGV[6])
redis.pcall('XADD', KEYS[7], 'MAXLEN', '~', 10000, '*', 'by', ARGV[8], 'retried',
  ARGV[6] .. '\t' .. string.gsub(ARGV[5], '%c', ' '))
redis.pcall('XADD', KEYS[8], 'MAXLEN', '~', 1000, '*', 'did', 'retried', 'by', ARGV[8], 'letter', ARGV[1],
  'kind', 'message', 'id', ARGV[6], 'origin', ARGV[5])
return 'DONE'
