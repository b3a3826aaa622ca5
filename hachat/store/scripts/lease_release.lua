-- Give the lease back, once nothing is done in its name any more; waiting candidates hear of it at once.
--
-- KEYS  1 lease (string)  2 meta (hash)  3 events (stream)  4 history (stream)
-- ARGV  1 token  2 successor, or empty  3 ms to keep it for the successor
--       4 `<node>/<boot>` that may not take it back, or empty  5 for so many ms  6 reason
--       7 cause (one of `core/lease.py`)  8 who asked for it, or empty
--
-- =>    {kind, ...}:
-- OK           given back, now or by an earlier question of the same kind
-- LOST token   it was not yours: somebody else's token, or an empty string if nobody has it
--
-- A term that was followed by another has ended by itself, and its holder alone knows why: that is added to the history.

-- Unless its end stands there already; a term that is older than the newest entries is left as it is.
local function explain()
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 20)) do
    local told = {}
    for i = 1, #entry[2], 2 do told[entry[2][i]] = entry[2][i + 1] end
    if told.token == ARGV[1] then
      if told.event == 'acquired' then
        redis.call('XADD', KEYS[4], 'MAXLEN', '~', 1000, '*', 'event', 'lost', 'token', ARGV[1], 'cause', ARGV[7] or '')
      end
      return
    end
  end
end

local lease = redis.call('GET', KEYS[1])
local record = redis.call('HMGET', KEYS[2], 'holder', 'state')
if record[1] ~= ARGV[1] or (lease and lease ~= ARGV[1]) then
  explain()
  return {'LOST', lease or ''}
end
if record[2] == 'released' then return {'OK'} end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function after(ms) return string.format('%.0f', now + ms) end

redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'state', 'released', 'heir', ARGV[2], 'heir_until', after(ARGV[3]),
  'barred', ARGV[4], 'barred_until', after(ARGV[5]))
for _, stream in ipairs({KEYS[4], KEYS[3]}) do
  redis.call('XADD', stream, 'MAXLEN', '~', 1000, '*', 'event', 'released', 'token', ARGV[1],
    'to', ARGV[2], 'reason', ARGV[6], 'cause', ARGV[7] or '', 'by', ARGV[8] or '')
end
return {'OK'}
