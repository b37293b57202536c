package bubble

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// A Clock is what Redis takes for the time of day, set wrong by Step. Keys expire on the bubble's
// clock all the same.
type Clock struct{ ahead atomic.Int64 }

// Clock gives Redis a clock that can be set.
func (f *Fleet) Clock() *Clock {
	c := new(Clock)
	f.Before(func(p *server.Peer, name string, _ ...string) bool {
		if name != "TIME" {
			return false
		}
		µs := time.Now().UnixMicro() + c.ahead.Load()
		p.WriteLen(2)
		p.WriteBulk(strconv.FormatInt(µs/1e6, 10))
		p.WriteBulk(strconv.FormatInt(µs%1e6, 10))
		return true
	})
	return c
}

// Step sets the clock forward, or back.
func (c *Clock) Step(d time.Duration) { c.ahead.Add(d.Microseconds()) }

// Forget breaks every connection and leaves Redis empty but for its scripts.
func (f *Fleet) Forget() {
	f.Redis.FlushAll()
	f.each((*link).Break)
}
