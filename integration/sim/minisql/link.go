package minisql

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"
)

// A Link is how one process reaches the server.
type Link struct {
	// Fate, if not nil, decides what befalls each statement. The context is the caller's; that of
	// COMMIT is the one that the transaction began with.
	Fate func(context.Context, Statement) Fault

	server *Server

	mu       sync.Mutex
	sessions []*session    // that the server has, as far as this process goes
	stopped  chan struct{} // closed by Resume; nil when the process runs
	dead     bool
}

// A Statement is what a process sends.
type Statement struct {
	Verb  string // begin, insert, select, update, delete, create or commit
	Table string
}

// A Fault befalls one statement. Its parts apply in the order of the fields.
type Fault struct {
	Delay      time.Duration // the statement reaches the server later
	Lose       bool          // the connection breaks before it does,
	Late       bool          // or breaks for its sender now, and the statement arrives all the same
	Refuse     *Error        // the server answers with this, and undoes the transaction
	Meanwhile  func()        // called when the statement has taken effect and its answer is on its way
	DelayReply time.Duration // the answer arrives later
	LoseReply  bool          // the connection breaks after the statement took effect
	Notice     time.Duration // from when a connection breaks or is closed to when the server knows
}

// Open returns a process's pool of connections, and the link that they are on.
func (s *Server) Open() (*sql.DB, *Link) {
	l := &Link{server: s}
	s.mu.Lock()
	if s.closed == nil {
		s.closed = make(chan struct{})
	}
	s.mu.Unlock()
	return sql.OpenDB(l), l
}

// Close ends every session, and whatever calls of processes that vanished still wait.
func (s *Server) Close() {
	s.Down()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil && !ended(s.closed) {
		close(s.closed)
	}
}

// Pause stops the process, as far as the server can tell: it sends and hears nothing until Resume.
// What it sent before arrives.
func (l *Link) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == nil {
		l.stopped = make(chan struct{})
	}
}

// Resume ends Pause.
func (l *Link) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		close(l.stopped)
		l.stopped = nil
	}
}

// Vanish ends the process: what it sent before arrives, and it hears nothing. The server notices
// later, and drops its sessions.
func (l *Link) Vanish(notice time.Duration) {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	time.AfterFunc(notice, l.Break)
}

// Break breaks the connections that there are. Their next use finds out.
func (l *Link) Break() {
	l.mu.Lock()
	sessions := slices.Clone(l.sessions)
	l.mu.Unlock()
	for _, c := range sessions {
		l.drop(c)
	}
}

func (l *Link) drop(c *session) {
	l.mu.Lock()
	l.sessions = slices.DeleteFunc(l.sessions, func(o *session) bool { return o == c })
	l.mu.Unlock()
	l.server.drop(c)
}

func (l *Link) running() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped == nil && !l.dead
}

// runs waits until the process runs. In one that has vanished it waits for the end.
func (l *Link) runs(ctx context.Context) error {
	for {
		l.mu.Lock()
		stopped, dead := l.stopped, l.dead
		l.mu.Unlock()
		if stopped == nil && !dead {
			return ctx.Err()
		}
		if dead {
			stopped = nil
		}
		select {
		case <-stopped:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.server.closed:
			return errGone
		}
	}
}

// pause takes time on the network.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
