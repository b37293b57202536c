-- renew: extends our lease while it is live.
--
-- KEYS[1] the key
-- ARGV[1] owner token   ARGV[2] lease, ms   ARGV[3] remember, ms
--
-- reply   1 extended | 0 not ours, or lapsed
--
-- Safe to send twice: it sets the same time to live. A lapsed lease stays lapsed: its holder
-- has been told that it is lost, and a renewal that was held up on the way must not bring
-- back a claim that its owner has abandoned.
if not ours(redis.call('GET', KEYS[1]), ARGV[1]) then return 0 end
if redis.call('PTTL', KEYS[1]) <= tonumber(ARGV[3]) then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3])
return 1
