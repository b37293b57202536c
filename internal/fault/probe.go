package fault

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Prober finds out whether Redis is down, as far as this machine can tell.
type Prober struct {
	client  redis.UniversalClient
	timeout time.Duration // of a probe

	mu     sync.Mutex
	probes map[string]*probe // under way, by address
}

// NewProber returns a Prober of the servers that a client leads to. A probe takes timeout at most.
func NewProber(client redis.UniversalClient, timeout time.Duration) *Prober {
	return &Prober{client: client, timeout: timeout, probes: map[string]*probe{}}
}

// Down reports whether err, of a command about a key, came of a fault of Redis or of the network: a
// connection that was refused or broke, or a refusal that all get. A refusal that is for us (a password,
// a right, a redirect), a closed client and a machine without descriptors say nothing of Redis.
//
// Nor does time that ran out: the client's pool may have been used up by other commands, while Redis was
// well and another request's lease live. So Redis is then asked for a PING on a connection outside the
// pool, and is down if that is not answered in time. Those who ask at once share one such probe.
func (p *Prober) Down(ctx context.Context, key string, err error) bool {
	switch sideOf(err) {
	case theirs:
		return true
	case ours:
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 3*p.timeout)
	defer cancel()
	nodes := p.nodes(ctx, key)
	for _, n := range nodes {
		if !p.silent(ctx, n) {
			return false
		}
	}
	return len(nodes) > 0
}

// A node is an address, and how the client dials it.
type node struct {
	network, addr string
	dial          func(ctx context.Context, network, addr string) (net.Conn, error)
}

// nodes are the servers that must all be silent: the one that serves the key, or if the client doesn't
// know it, those that it would ask. None are known of a client of another type.
func (p *Prober) nodes(ctx context.Context, key string) []node {
	switch c := p.client.(type) {
	case *redis.Client:
		return []node{nodeOf(c)}
	case *redis.ClusterClient:
		if primary := p.primary(ctx, c, key); primary != nil {
			return []node{nodeOf(primary)}
		}
		o := c.Options()
		dial := o.Dialer
		if dial == nil {
			dial = redis.NewDialer(&redis.Options{DialTimeout: p.timeout, TLSConfig: o.TLSConfig})
		}
		var all []node
		for _, addr := range o.Addrs {
			all = append(all, node{"tcp", addr, dial})
		}
		return all
	}
	return nil
}

// primary is the client of the node that serves a key, or nil if the topology isn't known: go-redis then
// asks for it, and may not heed the context.
func (p *Prober) primary(ctx context.Context, c *redis.ClusterClient, key string) *redis.Client {
	ctx, cancel := context.WithTimeout(ctx, p.timeout/2)
	defer cancel()
	found := make(chan *redis.Client, 1)
	go func() {
		primary, err := c.MasterForKey(ctx, key)
		if err != nil {
			primary = nil
		}
		found <- primary
	}()
	select {
	case primary := <-found:
		return primary
	case <-ctx.Done():
		return nil
	}
}

func nodeOf(c *redis.Client) node {
	o := c.Options()
	return node{o.Network, o.Addr, o.Dialer}
}

// A probe is one PING.
type probe struct {
	done   chan struct{}
	silent bool
}

func (p *Prober) silent(ctx context.Context, n node) bool {
	p.mu.Lock()
	pr := p.probes[n.addr]
	if pr == nil {
		pr = &probe{done: make(chan struct{})}
		p.probes[n.addr] = pr
		go func() {
			pr.silent = n.silent(p.timeout)
			p.mu.Lock()
			delete(p.probes, n.addr)
			p.mu.Unlock()
			close(pr.done)
		}()
	}
	p.mu.Unlock()
	select {
	case <-pr.done:
		return pr.silent
	case <-ctx.Done():
		return false // a dialer that ignores its context
	}
}

// silent sends a PING, and reports whether nothing came back through a fault of Redis or the network.
// Any byte is an answer: a refusal, too, tells that Redis is there.
func (n node) silent(timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := n.dial(ctx, n.network, n.addr)
	if err == nil {
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		_ = conn.SetDeadline(deadline)
		if _, err = conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
	}
	return err != nil && sideOf(err) != ours
}
