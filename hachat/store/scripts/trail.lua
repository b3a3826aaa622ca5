-- Look through a part of the trail, newest first, for what became of one message and its replies; changes nothing.
--
-- KEYS  1 trail (stream)
-- ARGV  1 id  2 where to begin, '+' or '(<entry>'  3 how many entries to look at
-- =>    {how many were looked at, the last of them or '', and each entry that has the id somewhere}

local entries = redis.call('XREVRANGE', KEYS[1], ARGV[2], '-', 'COUNT', ARGV[3])
local answer = {#entries, #entries > 0 and entries[#entries][1] or ''}
for _, entry in ipairs(entries) do
  for i = 2, #entry[2], 2 do
    if string.find(entry[2][i], ARGV[1], 1, true) then
      answer[#answer + 1] = entry
      break
    end
  end
end
return answer
