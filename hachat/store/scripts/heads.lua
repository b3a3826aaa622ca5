-- Look at the heads of conversations whose tokens a consumer holds; a token with nothing behind it is given back.
--
-- KEYS  1 ready (stream)
-- ARGV  1 group  2 consumer  3 prefix of mailbox keys  4.. for each: token, conversation
-- =>    for each: head | '' there is none | an error

local empty, held = {}, {}

local function look(token, conversation)
  local head = redis.call('LINDEX', ARGV[3] .. conversation, 0)
  if not head then empty[#empty + 1] = token end
  return head or ''
end

local heads = {}
for i = 4, #ARGV, 2 do
  local fine, head = pcall(look, ARGV[i], ARGV[i + 1])
  heads[#heads + 1] = (fine or type(head) == 'table') and head or {err = head}
end
for _, token in ipairs(empty) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], token, token, 1, ARGV[2])
  if #pending == 1 then held[#held + 1] = token end
end
if #held > 0 then
  redis.call('XACK', KEYS[1], ARGV[1], unpack(held))
  redis.call('XDEL', KEYS[1], unpack(held))
end
return heads
