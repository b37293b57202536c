-- abandon: ours -> ABANDONED at once. The work failed and what it did is unknown.
--
-- KEYS[1] the key
-- ARGV[1] owner token   ARGV[2] inline limit, bytes   ARGV[3] remember, ms
--
-- reply   1 abandoned | or what another has put there: {2}, {3}, {4} or {5} as begin says it
--
-- Safe to send twice: the second time the lease has ended already. A key that has vanished
-- stays so.
local value = redis.call('GET', KEYS[1])
if not value then return 1 end
if not ours(value, ARGV[1]) then return found(value, ARGV[2]) end
lapse(ARGV[3])
wake()
return 1
