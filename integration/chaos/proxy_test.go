package chaos

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// A proxy is one machine's way to Redis. A connection begins with the address that a node announces,
// on a line; the proxy connects to that node, says so with a byte, and passes on what comes.
type proxy struct {
	listener net.Listener
	cluster  *cluster.Cluster

	mu      sync.Mutex
	cuts    map[*cluster.Node]direction
	weather weather
	resets  int           // so far
	changed chan struct{} // closed when cuts change
}

// A direction is one way through the proxy, or both.
type direction uint8

const (
	toNode direction = 1 << iota
	fromNode
)

// weather is what the network does to each piece of data.
type weather struct {
	delay  time.Duration // of each piece towards the node: up to twice this, evenly
	resets float64       // the part of all pieces, either way, that break their connection
}

func newProxy(t *testing.T, c *cluster.Cluster) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{listener: listener, cluster: c, cuts: map[*cluster.Node]direction{}, changed: make(chan struct{})}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(t.Context(), conn)
		}
	}()
	return p
}

// cut stops what goes to a node or comes from it, new connections included. As where packets get
// lost, neither side is told, and what was sent meanwhile arrives when the way is open again.
func (p *proxy) cut(n *cluster.Node, d direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts[n] = d
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *proxy) heal(n *cluster.Node) { p.cut(n, 0) }

func (p *proxy) set(w weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
}

// open waits until there is a way to the node in that direction.
func (p *proxy) open(ctx context.Context, n *cluster.Node, d direction) error {
	for {
		p.mu.Lock()
		cut, changed := p.cuts[n]&d != 0, p.changed
		p.mu.Unlock()
		if !cut {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errReset = errors.New("reset")

// pass lets one piece of data through, late, or not at all.
func (p *proxy) pass(ctx context.Context, n *cluster.Node, d direction) error {
	p.mu.Lock()
	w, reset := p.weather, rand.Float64() < p.weather.resets
	if reset {
		p.resets++
	}
	p.mu.Unlock()
	if reset {
		return errReset
	}
	if d == toNode && w.delay > 0 {
		lasts(ctx, rand.N(2*w.delay))
	}
	return p.open(ctx, n, d)
}

func (p *proxy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	in := bufio.NewReader(client)
	addr, err := in.ReadString('\n')
	if err != nil {
		return
	}
	node, err := p.cluster.NodeAt(strings.TrimSuffix(addr, "\n"))
	if err != nil || p.open(ctx, node, toNode|fromNode) != nil {
		return
	}
	server, err := p.cluster.Dial(ctx, "tcp", node.Announced())
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := client.Write([]byte{connected}); err != nil {
		return
	}

	// What ends one direction ends the other.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- p.pipe(ctx, node, toNode, server, in) }()
	go func() { ended <- p.pipe(ctx, node, fromNode, client, server) }()
	if errors.Is(<-ended, errReset) {
		_ = client.(*net.TCPConn).SetLinger(0) // so that Close sends RST
		_ = server.(*net.TCPConn).SetLinger(0)
	}
}

func (p *proxy) pipe(ctx context.Context, n *cluster.Node, d direction, to io.Writer, from io.Reader) error {
	piece := make([]byte, 64<<10)
	for {
		size, err := from.Read(piece)
		if err != nil {
			return err
		}
		if err := p.pass(ctx, n, d); err != nil {
			return err
		}
		if _, err := to.Write(piece[:size]); err != nil {
			return err
		}
	}
}

const connected = '+'

// dialThrough connects to the node that announces addr, by way of a proxy.
func dialThrough(ctx context.Context, proxy, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", proxy)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	_, err = io.WriteString(conn, addr+"\n")
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	if !stop() {
		err = errors.Join(err, ctx.Err()) // its deadline is, or will be, on the connection
	}
	if err != nil {
		_ = conn.Close()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	return conn, nil
}
