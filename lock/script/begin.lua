-- begin: FREE -> CLAIMED, or ABANDONED -> CLAIMED as the next attempt.
--
-- KEYS[1] the key
-- ARGV[1] owner token        ARGV[2] lease, ms            ARGV[3] remember, ms
-- ARGV[4] fingerprint or -   ARGV[5] 1: take an abandoned claim over
-- ARGV[6] inline limit, bytes
--
-- reply   claim granted | {2, claim, ms left} held | {3, claim} abandoned
--         {4, value} done    | {5, size} done, and longer than the inline limit
--
-- Safe to send twice: a claim that carries our own token is our grant, whose reply was lost.
-- Reads come before the first write, so that replays go on when Redis is out of memory.
-- The fence is the server's time in microseconds, or one more than the claim that it takes
-- over: it grows while the key is remembered, even if a failover brings a clock that is behind.
local function grant(attempt, after)
  local t = redis.call('TIME')
  local fence = math.max(t[1] * 1000000 + t[2], after + 1)
  local claim = string.format('L1 %d %.0f %s %s %s', attempt, fence, ARGV[3], ARGV[4], ARGV[1])
  redis.call('SET', KEYS[1], claim, 'PX', ARGV[2] + ARGV[3])
  return claim
end

local size = redis.call('STRLEN', KEYS[1])
if size == 0 and redis.call('EXISTS', KEYS[1]) == 0 then return grant(1, 0) end
if size > tonumber(ARGV[6]) then return {LONG, size} end

local value = redis.call('GET', KEYS[1])
if ours(value, ARGV[1]) then
  touch()
  return value
end

local other = found(value, ARGV[6])
if other[1] == ABANDONED and ARGV[5] == '1' then
  local _, attempt, fence, fingerprint = parse(value)
  -- The key keeps its first request: another one may not finish what this one began.
  if fingerprint == ARGV[4] then return grant(attempt + 1, tonumber(fence)) end
end
return other
