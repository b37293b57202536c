package bubble

import (
	"sync"

	"github.com/alicebob/miniredis/v2/server"
)

// Channels gives Redis the sharded channels of version 7.0, which miniredis lacks.
func (f *Fleet) Channels() {
	f.t.Helper()
	c := &channels{subscribers: map[string]map[*server.Peer]bool{}}
	for name, do := range map[string]server.Cmd{
		"SSUBSCRIBE": c.subscribe, "SUNSUBSCRIBE": c.unsubscribe, "SPUBLISH": c.publish,
	} {
		if err := f.Redis.Server().Register(name, do); err != nil {
			f.t.Fatal(err)
		}
	}
}

type channels struct {
	mu          sync.Mutex
	subscribers map[string]map[*server.Peer]bool
}

func (c *channels) subscribe(p *server.Peer, _ string, names []string) {
	for _, name := range names {
		c.set(name, p, true)
		push(p, "ssubscribe", name, 1)
	}
}

func (c *channels) unsubscribe(p *server.Peer, _ string, names []string) {
	for _, name := range names {
		c.set(name, p, false)
		push(p, "sunsubscribe", name, 0)
	}
}

func (c *channels) set(name string, p *server.Peer, subscribed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !subscribed {
		delete(c.subscribers[name], p)
		return
	}
	if c.subscribers[name] == nil {
		c.subscribers[name] = map[*server.Peer]bool{}
	}
	c.subscribers[name][p] = true
	p.OnDisconnect(func() { c.set(name, p, false) })
}

func (c *channels) publish(p *server.Peer, _ string, args []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for subscriber := range c.subscribers[args[0]] {
		push(subscriber, "smessage", args[0], args[1])
		subscriber.Flush()
	}
	p.WriteInt(len(c.subscribers[args[0]]))
}

// push writes an out-of-band message of a kind, a channel and a payload or a number.
func push(p *server.Peer, kind, channel string, what any) {
	p.Block(func(w *server.Writer) {
		w.WritePushLen(3)
		w.WriteBulk(kind)
		w.WriteBulk(channel)
		switch what := what.(type) {
		case string:
			w.WriteBulk(what)
		case int:
			w.WriteInt(what)
		}
	})
}
