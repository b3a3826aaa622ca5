-- Drop a dead letter for good.
--
-- KEYS  1 dead (stream)  2 trail (stream)  3 audit (stream)
-- ARGV  1 entry of dead  2 who asked for it
-- =>    'DONE' | 'GONE' there is no such entry (any more)

local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return 'GONE' end
redis.call('XDEL', KEYS[1], ARGV[1])

local letter = {}
for i = 1, #entry[2] - 1, 2 do letter[entry[2][i]] = entry[2][i + 1] end
local id = string.match(letter.data or '', '^([^|]*)|') or ''
redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'by', ARGV[2], 'dropped', (string.gsub(id, '%c', ' ')))
redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', 5000, '*', 'did', 'dropped', 'by', ARGV[2], 'letter', ARGV[1],
  'kind', letter.kind or '', 'id', id, 'origin', letter.origin or '')
return 'DONE'
