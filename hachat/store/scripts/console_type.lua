-- Add a typed line, unless too many wait already.
--
-- KEYS  1 console:lines (stream)
-- ARGV  1 how many may wait  2 the line, JSON
-- =>    the entry's id | nil it is full

if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  return false
end
return redis.call('XADD', KEYS[1], '*', 'json', ARGV[2])
