-- Take the lease, if nobody can be leading any more.
--
-- KEYS  1 lease (string)  2 meta (hash)  3 events (stream)  4 history (stream)  5 control (hash)
-- ARGV  1 node  2 boot  3 ttl ms  4 lock delay ms  5 config epoch  6 floor (highest epoch the node knows of)
--       7 last event id seen  8 identity seen  9 ms since that id changed  10 ms since that identity changed
--
-- =>    {kind, ...}:
-- OK token             it is yours
-- CHANGED id identity  you have not watched what is here now: the last event id and the identity of this server
-- HELD ms              somebody's key is there, and whoever set it may still be leading for so long
-- PAUSED ms            elections are paused, and you are neither the last holder's node nor named as successor
-- DRAINED ms           your node is drained
-- HOLD ms              your node may not become master before a time
-- WAIT ms              the holder, or one that this server has forgotten, may still be leading for so long
-- STALE_VIEW ms        as WAIT, and you know of fewer Redis failovers than the record does
-- HANDOFF ms           it is being handed over to another node, for so long
-- VETO ms              you gave it away yourself and are barred for so long
--
-- Because a question must name the last event, one that was delayed in the network finds CHANGED and does nothing.
-- An order (PAUSED, DRAINED, HOLD) that is taken back is an event; its ms are when to ask again at the latest.
-- Redis's own clock serves courtesy only (orders, HANDOFF, VETO) and to keep epochs rising; safety is in the caller's times.

local node, boot, ttl, delay = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local config, floor = tonumber(ARGV[5]), tonumber(ARGV[6])
local silence, age = tonumber(ARGV[9]), tonumber(ARGV[10])

-- A process that asks leads nowhere, so what it still holds, from a term that it could not give back or from a grant
-- whose answer was lost, is in nobody's way.
local function is_another(token)
  return token and string.find(token, node .. '/' .. boot .. '/', 1, true) ~= 1
end

local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local last = newest and newest[1] or '0-0'
local identity = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') .. '@' .. ARGV[5]
if last ~= ARGV[7] or identity ~= ARGV[8] then return {'CHANGED', last, identity} end

local meta, fields = {}, redis.call('HGETALL', KEYS[2])
for i = 1, #fields, 2 do meta[fields[i]] = fields[i + 1] end

-- The key's own end is a time of day that replicas copy: where a clock was set back, a dead holder's key lives for an hour.  So
-- silence decides, as it does for a holder whose key is gone.
local lease, quiet = redis.call('GET', KEYS[1]), math.max(ttl, tonumber(meta.ttl or 0)) - silence
if is_another(lease) and quiet > 0 then return {'HELD', quiet} end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local AGAIN = 5000

-- Milliseconds until to ask again, as long as an order stands; what cannot be read stands until it is taken back.
local function ordered(field)
  local text = redis.call('HGET', KEYS[5], field)
  if not text then return nil end
  local fine, directive = pcall(cjson.decode, text)
  local ends = fine and type(directive) == 'table' and tonumber(directive['until'])
  if not ends then return AGAIN end
  local left = math.ceil(ends * 1000) - now
  return left > 0 and math.min(left, AGAIN) or nil
end

local drained, held = ordered('drain:' .. node), ordered('hold:' .. node)
if drained then return {'DRAINED', drained} end
if held then return {'HOLD', held} end
local paused = ordered('pause')
if paused then
  local named = meta.state == 'released' and meta.heir == node and tonumber(meta.heir_until) > now
  local last = meta.holder and string.find(meta.holder, node .. '/', 1, true) == 1
  if not named and not last then return {'PAUSED', paused} end
end

-- Whatever has failed over before was no empty Redis: if this one is, it has forgotten something.
local wait = 0
if meta.identity ~= identity and (meta.holder or floor > 0 or config > 0) then
  wait = math.max(delay, tonumber(meta.lock_delay or 0)) - age
end
if meta.state == 'held' and is_another(meta.holder) then
  wait = math.max(wait, quiet)
end
if wait > 0 then
  return {tonumber(meta.config or 0) > config and 'STALE_VIEW' or 'WAIT', wait}
end

if meta.state == 'released' and meta.heir ~= node then
  local kept, barred = tonumber(meta.heir_until) - now, tonumber(meta.barred_until) - now
  if meta.heir ~= '' and kept > 0 then return {'HANDOFF', kept} end
  if meta.barred == node .. '/' .. boot and barred > 0 then return {'VETO', barred} end
end

-- When the holder was heard last, for the history: its term has ended somewhere between then and now.
local function last_heard()
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 20)) do
    local event = {}
    for i = 1, #entry[2], 2 do event[entry[2][i]] = entry[2][i + 1] end
    local alive = event.event == 'renewed' or event.event == 'acquired'
    if alive and event.token == meta.holder then return entry[1] end
  end
  return ''
end

local reason, heard, server = 'first', '', ''
if meta.state == 'released' then
  reason = meta.heir == node and 'handed over' or 'released'
elseif meta.state == 'held' then
  reason = is_another(meta.holder) and 'silent' or 'left over'
  heard = last_heard()
end
if not meta.holder then
  server = floor > 1 and 'forgot' or ''  -- 1 is no epoch, only the suspicion that there were some
elseif meta.identity ~= identity then
  server = string.match(meta.identity or '', '@(.*)') == ARGV[5] and 'restarted' or 'failover'
end
local epoch = string.format('%.0f', math.max(tonumber(meta.epoch or 0), floor, now) + 1)
config = string.format('%.0f', math.max(config, tonumber(meta.config or 0)))
local token = node .. '/' .. boot .. '/' .. config .. '.' .. epoch
redis.call('SET', KEYS[1], token, 'PX', ttl)
redis.call('HSET', KEYS[2], 'holder', token, 'state', 'held', 'config', config, 'epoch', epoch, 'ttl', ttl,
  'lock_delay', delay, 'since', string.format('%.0f', now), 'identity', identity)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 1000, '*', 'event', 'acquired', 'token', token,
  'previous', meta.holder or '', 'reason', reason, 'heard', heard, 'redis', server)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, '*', 'event', 'acquired', 'token', token)
return {'OK', token}
