-- claim.lua: what the scripts know of a claim. It is put before each of them.
--
-- A claim is one line of text that an operator can read with GET:
--
--     L1 <attempt> <fence> <remember ms> <fingerprint or -> <owner token>
--
-- Its key lives for lease + remember. The lease is live while PTTL > remember, so that
-- Redis's clock alone decides, and a dead holder's claim stays readable until forgotten.
-- Any other value under the key is a committed one and none of ours to change.
local HELD, ABANDONED, DONE, LONG = 2, 3, 4, 5

-- ours tells whether value is a claim that token owns.
local function ours(value, token)
  return value and value:sub(1, 3) == 'L1 ' and value:sub(-#token - 1) == ' ' .. token
end

-- parse returns a claim's fields, or nothing for any other value. It is strict, sizes included,
-- because begin may overwrite what it accepts: a fence as far as numbers are exact in Lua, ten years
-- of remember. parseClaim in Go accepts exactly the same.
local function parse(value)
  local attempt, fence, remember, fingerprint, owner =
    value:match('^L1 ([1-9]%d*) (%d+) (%d+) ([!-~]+) ([0-9a-f]+)$')
  if owner and #attempt < 10 and #fence < 17 and tonumber(fence) <= 9007199254740991
    and #remember < 13 and tonumber(remember) <= 315360000000 and #fingerprint <= 128 and #owner == 32 then
    return remember, attempt, fence, fingerprint
  end
end

-- found says what another has put under the key: a claim with the rest of its lease, an
-- abandoned claim, a value, or only the size of one longer than inline (GET carries long
-- values faster than a script does).
local function found(value, inline)
  local remember = parse(value)
  if not remember then
    if #value > tonumber(inline) then return {LONG, #value} end
    return {DONE, value}
  end
  local left = redis.call('PTTL', KEYS[1]) - remember
  if left > 0 then return {HELD, value, left} end
  return {ABANDONED, value}
end

-- lapse ends the lease of the claim under the key, which stays remembered.
local function lapse(remember)
  if redis.call('PTTL', KEYS[1]) > tonumber(remember) then
    redis.call('PEXPIRE', KEYS[1], remember)
  end
end

-- touch rewrites the time to live unchanged: because of that write, a WAIT after the script also
-- covers an earlier sending's write, on whatever connection.
local function touch()
  redis.call('PEXPIRE', KEYS[1], redis.call('PTTL', KEYS[1]))
end

-- wake tells those who wait for the key. pcall, because Redis before 7 has no SPUBLISH and an
-- ACL may forbid it: they find that out by themselves, and poll then.
local function wake()
  redis.pcall('SPUBLISH', KEYS[1], '1')
end
