-- A node says again who it is; one that has said goodbye is not brought back by what arrives late.
--
-- KEYS  1 members (hash)
-- ARGV  1 consumer  2 what it says of itself, JSON
--
-- =>    1 written | 0 it is not in the cluster

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
