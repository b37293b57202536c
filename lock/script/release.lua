-- release: ours -> FREE, because the work ended cleanly and left nothing behind; or ours -> ABANDONED,
-- if ARGV[4] says that there was no work, and the claim took over from another.
--
-- KEYS[1] the key
-- ARGV[1] owner token   ARGV[2] inline limit, bytes   ARGV[3] remember, ms
-- ARGV[4] 1: nobody has worked under the claim
--
-- reply   1 free | or what another has put there: {2}, {3}, {4} or {5} as begin says it
--
-- Safe to send twice: a key that is free already needs nothing. A claim that nobody has worked
-- under and that took over from another goes back to ABANDONED, as the attempt before it: what the
-- earlier attempts did is as unknown as before, and asking was none. Its owner is nobody then, so
-- that a second sending finds nothing of ours.
local value = redis.call('GET', KEYS[1])
if not value then return 1 end
if not ours(value, ARGV[1]) then return found(value, ARGV[2]) end
if ARGV[4] == '1' and value:sub(1, 5) ~= 'L1 1 ' then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then
    local remember, attempt, fence, fingerprint = parse(value)
    local before = string.format('L1 %d %s %s %s %s', attempt - 1, fence, remember, fingerprint, string.rep('0', 32))
    redis.call('SET', KEYS[1], before, 'PX', ARGV[3])
  end
else
  redis.call('DEL', KEYS[1])
end
wake()
return 1
