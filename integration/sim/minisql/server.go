package minisql

import (
	"context"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// A Server is one database. Its zero value is empty and runs.
type Server struct {
	// Committed, if not nil, is called with what a transaction has written, at the instant of its
	// commit. It must not call the server.
	Committed func([]Write)

	mu       sync.Mutex
	tables   map[string]*table
	sessions []*session
	down     bool
	closed   chan struct{} // made by the first Open
}

// A Write is one row as a transaction leaves it.
type Write struct {
	Table string
	Row   map[string]driver.Value // by column; nil: deleted
}

// An Error is what the server answers to a statement that it refuses.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message + " (SQLSTATE " + e.Code + ")" }

// SQLState is how the drivers of PostgreSQL tell the code.
func (e *Error) SQLState() string { return e.Code }

// Errors that a test may let befall a transaction.
var (
	ErrSerialization = &Error{"40001", "could not serialize access due to concurrent update"}
	ErrDeadlock      = &Error{"40P01", "deadlock detected"}
)

var (
	errAborted = &Error{"25P02", "current transaction is aborted, commands ignored until end of transaction block"}
	errUnique  = &Error{"23505", "duplicate key value violates unique constraint"}
	errGone    = errors.New("minisql: the session has ended")
)

// A session is the server's end of a connection.
type session struct {
	server *Server
	gone   chan struct{} // closed when the session has ended
	tx     *transaction  // the open one
}

type transaction struct {
	session *session
	begun   time.Time
	locked  []*row
	writes  []written // one for each row, in the order of the first
	waits   *row      // for its holder to end
	aborted bool
}

type written struct {
	table string
	row   *row
}

func (s *Server) connect() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil
	}
	c := &session{server: s, gone: make(chan struct{})}
	s.sessions = append(s.sessions, c)
	return c
}

// drop ends a session, and with it the open transaction.
func (s *Server) drop(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.sessions, c)
	if i < 0 {
		return
	}
	s.sessions = slices.Delete(s.sessions, i, i+1)
	close(c.gone)
	c.rollback()
}

// Down ends every session, as a crash does, and refuses new ones. What was committed stays.
func (s *Server) Down() {
	s.mu.Lock()
	s.down = true
	all := slices.Clone(s.sessions)
	s.mu.Unlock()
	for _, c := range all {
		s.drop(c)
	}
}

// Up ends Down.
func (s *Server) Up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
}

// Unfinished tells how many transactions have begun and not ended.
func (s *Server) Unfinished() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.sessions {
		if c.tx != nil {
			n++
		}
	}
	return n
}

// Rows returns a table's committed rows, in the order of their primary keys.
func (s *Server) Rows(of string) (rows []map[string]driver.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[of]
	if t == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(t.rows)) {
		if r := t.rows[key]; r.committed != nil {
			rows = append(rows, maps.Clone(r.committed))
		}
	}
	return rows
}

// begin begins a transaction. The caller holds the server's mu.
func (c *session) begin() error {
	if c.tx != nil {
		return &Error{"25001", "there is already a transaction in progress"}
	}
	c.tx = &transaction{session: c, begun: time.Now()}
	return nil
}

// commit makes what the open transaction wrote visible. The caller holds the server's mu.
func (c *session) commit() error {
	x := c.tx
	switch {
	case x == nil:
		return &Error{"25P01", "there is no transaction in progress"}
	case x.aborted:
		c.rollback()
		return errors.New("minisql: the commit became a rollback, because a statement had failed")
	}
	var all []Write
	for _, w := range x.writes {
		w.row.committed = w.row.pending
		all = append(all, Write{w.table, maps.Clone(w.row.committed)})
	}
	if c.server.Committed != nil && len(all) > 0 {
		c.server.Committed(all)
	}
	c.tx = nil
	x.end()
	return nil
}

// rollback forgets the open transaction, if any. The caller holds the server's mu.
func (c *session) rollback() {
	if x := c.tx; x != nil {
		c.tx = nil
		x.end()
	}
}

// abort undoes the transaction, and answers with err. The caller holds the server's mu.
func (x *transaction) abort(err error) error {
	x.aborted = true
	x.end()
	return err
}

// end hands the transaction's rows on.
func (x *transaction) end() {
	if r := x.waits; r != nil {
		r.queue = slices.DeleteFunc(r.queue, func(w *waiter) bool { return w.tx == x })
	}
	locked := x.locked
	x.locked, x.writes = nil, nil
	for _, r := range locked {
		r.release()
	}
}

// refuse answers a statement with an error, and undoes the open transaction. COMMIT ends it, too.
func (c *session) refuse(verb string, err *Error) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	switch {
	case ended(c.gone):
		return errGone
	case verb == "commit":
		c.rollback()
	case c.tx != nil:
		return c.tx.abort(err)
	}
	return err
}

// run executes one statement, in a transaction of its own if none is open.
func (c *session) run(ctx context.Context, q *statement, args []driver.Value) (result, error) {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended(c.gone) {
		return result{}, errGone
	}
	alone := c.tx == nil
	if alone {
		_ = c.begin()
	}
	x := c.tx
	if x.aborted {
		return result{}, errAborted
	}
	r, err := s.execute(ctx, x, q, args)
	switch {
	case ended(c.gone):
		return result{}, errGone
	case err != nil:
		err = x.abort(err)
		if alone {
			c.rollback()
		}
		return result{}, err
	case alone:
		err = c.commit()
	}
	return r, err
}

func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
