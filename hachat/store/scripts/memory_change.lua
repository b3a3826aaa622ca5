-- Change what a handler remembers under one key.
--
-- KEYS  1 memory:<handler> (hash)  2 memory:<handler>:ends (zset)  3 memory (hash)  4 did:<change> (string)
-- ARGV  1 handler  2 key  3 'set' | 'replace' | 'delete' | 'add'  4 the new value, JSON, or what is to be added
--       5 milliseconds until it is forgotten, 0 for never, -1 for no change of that, or '@' and when, Redis milliseconds
--       6 what 'replace' must find, empty for nothing  7 most keys  8 most bytes of all keys and values
-- =>    { what, value }: 'DONE' with the value now | 'OTHER' with the value that is there and forbids it
--       | 'KEYS' | 'BYTES' the limit is reached; nothing was changed.  A value is nil where there is none.
--
-- Asked again within a minute it changes nothing, and answers what it did.

local memory, ends, sizes, did = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local handler, key, how, value, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local till = tonumber(string.match(ARGV[5], '^@(%d+)$'))
local earlier = redis.call('GET', did)
if earlier then return { string.match(earlier, '^%u+'), string.match(earlier, '^%u+|(.*)$') or false } end

local function forget(name)
  local old = redis.call('HGET', memory, name)
  if not old then return end
  redis.call('HDEL', memory, name)
  redis.call('HINCRBY', sizes, handler, -#name - #old)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 1000)) do
  forget(name)
  redis.call('ZREM', ends, name)
end

local old = redis.call('HGET', memory, key)
local ending = redis.call('ZSCORE', ends, key)
if ending and tonumber(ending) <= now then old = false end

local function answer(what, with)
  if how ~= 'set' then redis.call('SET', did, with and what .. '|' .. with or what, 'PX', 60000) end
  return { what, with }
end

if how == 'replace' and (old or '') ~= ARGV[6] then return answer('OTHER', old) end
if how == 'delete' then
  forget(key)
  redis.call('ZREM', ends, key)
  if redis.call('EXISTS', memory) == 0 then redis.call('HDEL', sizes, handler) end
  return answer('DONE', old)
end
if how == 'add' then
  local sum = string.match(old or '0', '^%-?%d+$') and tonumber(old or '0') + tonumber(value)
  -- Beyond that Lua's numbers do not count.
  if not sum or math.abs(sum) > 9007199254740991 then return answer('OTHER', old) end
  value = string.format('%.0f', sum)
end

local there = redis.call('HGET', memory, key)
local more = #value - (there and #there or -#key)
if not there and redis.call('HLEN', memory) >= tonumber(ARGV[7]) then return { 'KEYS', false } end
if more > 0 and tonumber(redis.call('HGET', sizes, handler) or '0') + more > tonumber(ARGV[8]) then
  return { 'BYTES', false }
end
redis.call('HSET', memory, key, value)
redis.call('HINCRBY', sizes, handler, more)
if life and life > 0 then till = now + life end
if till then
  redis.call('ZADD', ends, till, key)
elseif life == 0 or not old then
  redis.call('ZREM', ends, key)
end
return answer('DONE', value)
