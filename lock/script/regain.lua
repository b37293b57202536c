-- regain: FREE or ours -> CLAIMED by us. A deployment of a quorum lock has come back without our
-- claim, or with one that lapsed meanwhile, while we hold a majority.
--
-- KEYS[1] the key
-- ARGV[1] owner token        ARGV[2] lease, ms   ARGV[3] remember, ms
-- ARGV[4] fingerprint or -   ARGV[5] attempt     ARGV[6] our fence here so far, or 0
--
-- reply   1 ours again | 0 another's, or a value
--
-- Safe to send twice: it then extends what it has set. The fence that it sets is for the next
-- holder's to be greater than, even if the deployment has come back with a clock that is behind.
local value = redis.call('GET', KEYS[1])
if ours(value, ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3])
elseif value then
  return 0
else
  local t = redis.call('TIME')
  local fence = math.max(t[1] * 1000000 + t[2], tonumber(ARGV[6]))
  local claim = string.format('L1 %s %.0f %s %s %s', ARGV[5], fence, ARGV[3], ARGV[4], ARGV[1])
  redis.call('SET', KEYS[1], claim, 'PX', ARGV[2] + ARGV[3])
end
return 1
