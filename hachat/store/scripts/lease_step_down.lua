-- Ask the present master to step down; it hears of it by the stream of events, as candidates hear of a release.
--
-- KEYS  1 lease (string)  2 events (stream)
-- ARGV  1 token of the master that is meant  2 successor, or empty for any  3 reason
--       4 who asks, or empty
--
-- =>    {kind, ...}:
-- OK id           asked; an answer to it, or what comes of it, follows that event
-- CHANGED token   somebody else is master, or, if empty, nobody

local lease = redis.call('GET', KEYS[1])
if lease ~= ARGV[1] then return {'CHANGED', lease or ''} end
return {'OK', redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'event', 'step-down', 'token', ARGV[1],
  'to', ARGV[2], 'reason', ARGV[3], 'by', ARGV[4] or '')}
