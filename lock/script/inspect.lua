-- inspect: reads what stands under the key, and changes nothing.
--
-- KEYS[1] the key
-- ARGV[1] how many of its first bytes to show
--
-- reply   as look.lua says it
return look(tonumber(ARGV[1]))
