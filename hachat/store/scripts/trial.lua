-- Run another script whole, on scratch keys, and tell which of its commands Redis refuses; nothing of it stays.
--
-- KEYS  1 and on: every key that is written
-- ARGV  1 steps, JSON, each a pair: the keys and arguments of a run, or '' and a command that prepares the keys
--       2 ms after which keys end that may not be deleted
-- =>    for each command that it ran, and its subcommand, if it has one: name, error or ''; with an empty name its own
--       error, and as `before` that of a command that should have prepared the keys
--
-- It is all one step, so that nobody else ever sees those keys, and whatever fails half-way leaves none.

local steps, met, faulty = cjson.decode(ARGV[1]), {}, false

-- An error that a script would catch counts as any other.
local function call(...)
  local command, first = ...
  local name = string.upper(command)
  if name == 'XGROUP' or name == 'XINFO' then name = name .. '|' .. string.upper(first) end
  local answer = redis.pcall(...)
  local fault = type(answer) == 'table' and answer.err
  if fault or not met[name] then met[name] = fault or '' end
  faulty = faulty or fault
  return answer, fault
end

local watched = {
  pcall = function(...) return (call(...)) end,
  call = function(...)
    local answer, fault = call(...)
    if fault then error(answer) end
    return answer
  end,
}

local function run(redis, KEYS, ARGV)
--SCRIPT--
end

local unprepared
for _, step in ipairs(steps) do
  local keys, words = step[1], step[2]
  if keys == '' then
    local answer = redis.pcall(unpack(words))
    unprepared = unprepared or (type(answer) == 'table' and answer.err)
  else
    local fine, failure = pcall(run, watched, keys, words)
    if not (fine or faulty) then met[''] = failure end
  end
end
-- What fails for want of its keys does not count; what it may not run does all the same.
if unprepared then met['before'] = unprepared end
for _, key in ipairs(KEYS) do
  redis.pcall('PEXPIRE', key, ARGV[2])
  redis.pcall('DEL', key)
end

local answer = {}
for name, fault in pairs(met) do
  answer[#answer + 1] = name
  answer[#answer + 1] = fault
end
return answer
