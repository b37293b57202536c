-- look.lua: what stands under the key, for an operator. It is put before inspect and act.
--
-- reply   {8, size, ms to live, first bytes, last bytes, seconds, microseconds}
--         size is -1 if there is nothing, and -2 if it is of another type than a string; ms to live
--         is -1 if it never expires; the time is the server's
local SEEN, TAIL = 8, 16

-- string_at returns a part of the value, which is not copied as a whole.
local function string_at(from, to) return redis.call('GETRANGE', KEYS[1], from, to) end

-- look takes no more than so many bytes from the beginning of the value.
local function look(most)
  local t = redis.call('TIME')
  local ttl = redis.call('PTTL', KEYS[1])
  local size, head, tail = redis.pcall('STRLEN', KEYS[1]), '', ''
  if type(size) == 'table' then
    if not string.find(size.err, 'WRONGTYPE') then return size end
    size = -2
  elseif size > 0 then
    head = string_at(0, most - 1)
    tail = size > most and string_at(-TAIL, -1) or head:sub(-TAIL)
  elseif redis.call('EXISTS', KEYS[1]) == 0 then
    size = -1
  end
  return {SEEN, size, ttl, head, tail, tonumber(t[1]), tonumber(t[2])}
end

