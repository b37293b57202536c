package database

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/integration/cluster"
)

// A Proxy is a way to a database's server, on which a COMMIT can be caught.
type Proxy struct {
	// Source is the database's by way of the proxy. It stays when the server is started again.
	Source string

	db       *Database
	listener net.Listener
	server   *cluster.Container

	mu    sync.Mutex
	catch *catch // of the next COMMIT
}

// Fate is what becomes of a COMMIT that is caught.
type Fate int

const (
	Undelivered Fate = iota // the server never gets it
	Unanswered              // the server has carried it out, and its answer doesn't arrive
)

type catch struct {
	fate   Fate
	caught chan func()
}

// Proxy puts a proxy before the database's server, until the test ends. SQLite has no server.
func (db *Database) Proxy(t testing.TB) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	p := &Proxy{
		Source: db.server.source(listener.Addr().String(), db.name),
		db:     db, listener: listener, server: db.server.Container,
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(t.Context(), client)
		}
	}()
	return p
}

// Pool opens the database by way of the proxy, until the test ends.
func (p *Proxy) Pool(t testing.TB) *sql.DB {
	t.Helper()
	return open(t, p.db.Dialect, p.Source)
}

// Catch has the next COMMIT meet its fate. When it has, the channel yields a function that cuts the
// connection; until it is called, the client waits for its answer.
func (p *Proxy) Catch(fate Fate) <-chan func() {
	c := &catch{fate, make(chan func(), 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catch = c
	return c.caught
}

// CutAtCommit is Catch by a function that is called at once: the client sees its connection break
// during COMMIT. The channel is closed when that has happened.
func (p *Proxy) CutAtCommit(fate Fate) (done <-chan struct{}) {
	caught, cut := p.Catch(fate), make(chan struct{})
	go func() {
		(<-caught)()
		close(cut)
	}()
	return cut
}

// caught is the fate of a piece of what a client sends, if it is a COMMIT that is to be caught. Both
// drivers send the word alone, in a packet of its own, which arrives as one piece.
func (p *Proxy) caught(piece []byte) *catch {
	if !bytes.Contains(bytes.ToLower(piece), []byte("commit")) || len(piece) > 32 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.catch
	p.catch = nil
	return c
}

// serve passes on what comes, in both directions, until one of them ends or is cut.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", p.server.Published())
	if err != nil {
		return
	}
	defer server.Close()

	var once sync.Once
	cut := make(chan struct{})
	end := func() { once.Do(func() { close(cut) }) }
	answers := make(chan *catch, 1) // catches whose answer is on its way
	go func() {
		defer end()
		for piece := range pieces(client) {
			c := p.caught(piece)
			if c != nil && c.fate == Undelivered {
				c.caught <- end
				<-cut
				return
			}
			if c != nil {
				answers <- c
			}
			if _, err := server.Write(piece); err != nil {
				return
			}
		}
	}()
	go func() {
		defer end()
		for piece := range pieces(server) {
			select {
			case c := <-answers:
				c.caught <- end
				<-cut
				return
			default:
			}
			if _, err := client.Write(piece); err != nil {
				return
			}
		}
	}()
	select {
	case <-cut:
	case <-ctx.Done():
		end()
	}
}

// pieces are what a connection has to say, as it arrives.
func pieces(conn net.Conn) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		piece := make([]byte, 64<<10)
		for {
			n, err := conn.Read(piece)
			if err != nil || !yield(piece[:n]) {
				return
			}
		}
	}
}
