-- act: what an operator has seen -> FREE, or CLAIMED -> ABANDONED, if it still stands under the key.
--
-- KEYS[1] the key
-- ARGV[1] its first bytes, as seen   ARGV[2] its last bytes   ARGV[3] its size
-- ARGV[4] remember of the claim to abandon, ms, or - to free the key
-- ARGV[5] how many first bytes of something else to show
--
-- reply   1 done | what stands there instead, as look.lua says it
--
-- A claim is compared whole, and so is any value that is not longer than both ends together; the
-- last bytes of a record are a checksum of all of it. A renewal doesn't change a claim.
--
-- Safe to send twice: the second time the lease has ended already, or the key is free, or another's,
-- which is left alone.
local size = tonumber(ARGV[3])
local seen = look(math.max(#ARGV[1], tonumber(ARGV[5])))
if seen[2] ~= size or seen[4]:sub(1, #ARGV[1]) ~= ARGV[1] or seen[5] ~= ARGV[2] then return seen end
if ARGV[4] == '-' then
  redis.call('DEL', KEYS[1])
else
  lapse(ARGV[4])
end
wake()
return 1
