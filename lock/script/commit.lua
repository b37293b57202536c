-- commit: CLAIMED or ABANDONED by us, or FREE -> DONE.
--
-- KEYS[1] the key
-- ARGV[1] owner token   ARGV[2] value   ARGV[3] retention, ms   ARGV[4] inline limit, bytes
--
-- reply   1 stored | 6 already stored | 7 stored, though the key had vanished
--         or what another has put there: {2}, {3}, {4} or {5} as begin says it
--
-- Safe to send twice: the value names its owner, so that finding the very same bytes means
-- that the first sending did it. A key that vanished (evicted, or lost in a failover) is
-- free, and the first committed value wins.
local value = redis.call('GET', KEYS[1])
if not value or ours(value, ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  wake()
  if value then return 1 end
  return 7
end
if value == ARGV[2] then
  touch()
  return 6
end
return found(value, ARGV[4])
