package bubble

import (
	"sync/atomic"

	"github.com/alicebob/miniredis/v2/server"
)

// Errors with which Redis refuses what it could run at another time.
const (
	OOM      = "OOM command not allowed when used memory > 'maxmemory'."
	ReadOnly = "READONLY You can't write against a read only replica."
)

// Outages are the ways in which Redis can't be asked by any machine.
var Outages = []struct {
	Name       string
	Begin, End func(*Fleet)
}{
	{"refuses connections", (*Fleet).Down, (*Fleet).Up},
	{"hangs", (*Fleet).Freeze, (*Fleet).Thaw},
	{"is out of memory", func(f *Fleet) { f.Refuse(OOM) }, func(f *Fleet) { f.Refuse("") }},
	{"is read-only", func(f *Fleet) { f.Refuse(ReadOnly) }, func(f *Fleet) { f.Refuse("") }},
}

// Refuse makes Redis answer every command of every machine with this error, such as OOM. Empty ends
// it.
func (f *Fleet) Refuse(message string) {
	f.Redis.SetError(message)
	if message == "" && f.hook != nil {
		f.Redis.Server().SetPreHook(f.hook)
	}
}

// RefuseSet returns a function that makes Redis answer every SET, a script's too, with an error,
// while it runs everything else. Empty ends it.
func (f *Fleet) RefuseSet() func(message string) {
	var refusal atomic.Pointer[string]
	f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
		message := refusal.Load()
		if cmd != "SET" || message == nil || *message == "" {
			return false
		}
		p.WriteError(*message)
		return true
	})
	return func(message string) { refusal.Store(&message) }
}
