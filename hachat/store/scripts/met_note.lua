-- Note whom, or which rooms, the bot has met; a name that changed is found no more.
--
-- KEYS  1 met:<kind> (hash)  2 met:<kind>:names (zset)  3 met:<kind>:seen (zset)
-- ARGV  1 most that are kept  2.. for each: '<adapter>/<id>', when in Unix milliseconds, JSON with at least `index`
-- =>    how many were noted; what was seen later already is not
--
-- `index` are the members of KEYS[2] by which one is found.  Noted again, nothing changes.

local met, names, seen, most = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Return when `who` was first met, having made it unknown by every name.
local function rename(who)
  local old = redis.call('HGET', met, who)
  if not old then return nil end
  local first, data = string.match(old, '^(%d+)|(.*)$')
  for _, member in ipairs(cjson.decode(data).index) do redis.call('ZREM', names, member) end
  return first
end

local noted = 0
for i = 2, #ARGV, 3 do
  local who, at, data = ARGV[i], math.min(tonumber(ARGV[i + 1]), now), ARGV[i + 2]
  local last = redis.call('ZSCORE', seen, who)
  if not last or at >= tonumber(last) then
    local first = rename(who) or string.format('%.0f', at)
    for _, member in ipairs(cjson.decode(data).index) do redis.call('ZADD', names, 0, member) end
    redis.call('HSET', met, who, first .. '|' .. data)
    redis.call('ZADD', seen, string.format('%.0f', at), who)
    noted = noted + 1
  end
end
for _ = 1, redis.call('ZCARD', seen) - most do
  local who = redis.call('ZPOPMIN', seen)[1]
  rename(who)
  redis.call('HDEL', met, who)
end
return noted
