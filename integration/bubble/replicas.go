package bubble

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// Replicas gives Redis replicas, which miniredis lacks: so many confirm whatever WAIT asks them.
// Stored to, the number changes.
func (f *Fleet) Replicas(n int32) *atomic.Int32 {
	var replicas atomic.Int32
	replicas.Store(n)
	f.Before(func(p *server.Peer, cmd string, args ...string) bool {
		if cmd != "WAIT" {
			return false
		}
		want, _ := strconv.Atoi(args[0])
		within, _ := strconv.Atoi(args[1])
		if int(replicas.Load()) < want {
			p.Flush() // what the pipeline has before it is answered already
			time.Sleep(time.Duration(within) * time.Millisecond)
		}
		p.WriteInt(int(replicas.Load()))
		return true
	})
	return &replicas
}
