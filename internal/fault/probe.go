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
	timeout time.Duration // of one probe

	mu     sync.Mutex
	probes map[string]*probe // that are running, by address
}

// NewProber returns a Prober for the servers of client. A probe takes timeout at most.
func NewProber(client redis.UniversalClient, timeout time.Duration) *Prober {
	return &Prober{client: client, timeout: timeout, probes: map[string]*probe{}}
}

// Down reports whether err, the error of a command about key, came from a fault of Redis or of the
// network: from a connection that was refused or broke, or an error reply that every client gets.
// An error reply to us alone (about a password, a right, a redirect), a closed client, and a
// machine without file descriptors prove nothing about Redis.
//
// Neither does a timeout: other commands may have used up the client's pool, while Redis was well
// and another request held a live lease. After a timeout, Down sends a PING on a connection outside
// the pool, and Redis is down if the reply doesn't come in time. Concurrent callers share one such
// probe.
func (p *Prober) Down(ctx context.Context, key string, err error) bool {
	switch sideOf(err) {
	case remote:
		return true
	case local:
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

// A node is a server's address, and the way in which the client dials it.
type node struct {
	network, addr string
	dial          func(ctx context.Context, network, addr string) (net.Conn, error)
}

// nodes returns the servers that must all be silent for Redis to be down: the one that serves the
// key, or, if the client doesn't know which that is, those that it would ask. It returns none for a
// client of another type.
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

// primary returns the client of the node that serves key, or nil if the topology isn't known. In
// that case go-redis loads the topology, and may ignore the context: hence the goroutine.
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

// A probe is one PING, for all who wait for its result.
type probe struct {
	done   chan struct{}
	silent bool // valid when done is closed
}

// silent reports whether a probe of n got no answer. It joins a probe that is running.
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
		return false // the dialer ignores its context
	}
}

// silent sends a PING, and reports whether there was no answer because of Redis or the network. Any
// byte is an answer: an error reply also proves that Redis is there.
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
	return err != nil && sideOf(err) != local
}
