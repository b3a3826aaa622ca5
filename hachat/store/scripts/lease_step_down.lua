-- Ask the present master to step down; it hears of it by the stream of events, as candidates hear of a release.
--
-- KEYS  1 lease (string)  2 events (stream)  3 audit (stream)
-- ARGV  1 token of the master that is meant  2 successor, or empty for any  3 reason
--       4 who asks, or empty  5 name of the request, or empty
--       6 s for which the leaver may not become master again, or empty  7 `1`: leave without a successor too, or empty
--
-- =>    {kind, ...}:
-- OK id           asked, now or by an earlier question of the same name; what comes of it follows that event
-- CHANGED token   somebody else is master, or, if empty, nobody

local lease = redis.call('GET', KEYS[1])
if lease ~= ARGV[1] then return {'CHANGED', lease or ''} end
local request = ARGV[5] or ''
for _, entry in ipairs(request ~= '' and redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 100) or {}) do
  local event = {}
  for i = 1, #entry[2], 2 do event[entry[2][i]] = entry[2][i + 1] end
  if event.event == 'step-down' and event.request == request then return {'OK', entry[1]} end
end
redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', 5000, '*',
  'did', 'step-down', 'by', ARGV[4] or '', 'node', string.match(ARGV[1], '^[^/]*'), 'to', ARGV[2], 'reason', ARGV[3])
return {'OK', redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'event', 'step-down', 'token', ARGV[1],
  'to', ARGV[2], 'reason', ARGV[3], 'by', ARGV[4] or '', 'request', request, 'hold', ARGV[6] or '',
  'force', ARGV[7] or '')}
