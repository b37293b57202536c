package bubble

import (
	"path"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
)

// Paged makes SCAN go by steps of COUNT keys, as Redis does; miniredis returns all at once.
func (f *Fleet) Paged() {
	f.Before(func(p *server.Peer, cmd string, args ...string) bool {
		if strings.ToUpper(cmd) != "SCAN" || len(args) != 5 {
			return false
		}
		keys := f.Redis.Keys()
		from, _ := strconv.Atoi(args[0])
		count, _ := strconv.Atoi(args[4])
		to, next := from+count, from+count
		if to >= len(keys) {
			to, next = len(keys), 0
		}
		var matching []string
		for _, key := range keys[min(from, to):to] {
			if ok, _ := path.Match(args[2], key); ok {
				matching = append(matching, key)
			}
		}
		p.WriteLen(2)
		p.WriteBulk(strconv.Itoa(next))
		p.WriteStrings(matching)
		return true
	})
}
