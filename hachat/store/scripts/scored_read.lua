-- Read fields of a hash with their scores in a sorted set, all of one moment.
--
-- KEYS  1 hash  2 zset
-- ARGV  1.. the fields
-- =>    { values, scores }, each nil where there is none

return { redis.call('HMGET', KEYS[1], unpack(ARGV)), redis.call('ZMSCORE', KEYS[2], unpack(ARGV)) }
