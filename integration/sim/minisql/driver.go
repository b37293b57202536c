package minisql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// Connect is database/sql's way to a connection.
func (l *Link) Connect(ctx context.Context) (driver.Conn, error) {
	if err := l.runs(ctx); err != nil {
		return nil, err
	}
	session := l.server.connect()
	if session == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	c := &conn{link: l, session: session}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions = append(l.sessions, session)
	return c, nil
}

// Driver is for database/sql.
func (l *Link) Driver() driver.Driver { return noNames{} }

type noNames struct{}

func (noNames) Open(string) (driver.Conn, error) {
	return nil, errors.New("minisql: a server has no name, but a method Open")
}

// A conn is the client's end of a connection.
type conn struct {
	link    *Link
	session *session
	broken  atomic.Bool
	begun   context.Context // of the open transaction, without its end; nil without one
}

// trip sends a statement, lets the server execute it, and brings its answer. An error of the
// server's is an *Error. A connection that is found broken before there is a transaction on it is
// driver.ErrBadConn, upon which database/sql may take another; after any other error nobody here
// knows whether the statement has been executed.
func (c *conn) trip(ctx context.Context, s Statement, serve execution) (r result, err error) {
	if c.broken.Load() || ended(c.session.gone) {
		if c.begun == nil {
			return r, driver.ErrBadConn
		}
		return r, errCut
	}
	if err := c.link.runs(ctx); err != nil {
		return r, c.breaks(ctx, Fault{}, err)
	}
	var f Fault
	if c.link.Fate != nil {
		f = c.link.Fate(ctx, s)
	}
	if f.Late {
		go func() {
			time.Sleep(f.Delay)
			_, _ = serve(context.Background())
			c.link.drop(c.session)
		}()
		c.broken.Store(true)
		return r, errCut
	}
	if err := pause(ctx, f.Delay); err != nil {
		return r, c.breaks(ctx, f, err)
	}
	if f.Lose {
		return r, c.breaks(ctx, f, errCut)
	}
	if f.Refuse != nil {
		serve = func(context.Context) (result, error) { return result{}, c.session.refuse(s.Verb, f.Refuse) }
	}
	r, answer := serve(ctx)
	if f.Meanwhile != nil {
		f.Meanwhile()
	}
	if errors.Is(answer, errGone) {
		return r, c.breaks(ctx, f, errCut)
	}
	err = pause(ctx, f.DelayReply)
	if err == nil {
		err = c.link.runs(ctx)
	}
	switch {
	case err != nil:
		return r, c.breaks(ctx, f, err)
	case f.LoseReply:
		return r, c.breaks(ctx, f, errCut)
	}
	return r, answer
}

// An execution is what the server does with a statement.
type execution func(context.Context) (result, error)

var errCut = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// breaks breaks the connection, of which the server learns when the process that closes it runs.
func (c *conn) breaks(ctx context.Context, f Fault, err error) error {
	c.broken.Store(true)
	go func() {
		if c.link.runs(context.WithoutCancel(ctx)) == nil {
			time.Sleep(f.Notice)
			c.link.drop(c.session)
		}
	}()
	return err
}

// control is a trip of BEGIN or COMMIT.
func (c *conn) control(ctx context.Context, verb string, do func() error) error {
	_, err := c.trip(ctx, Statement{Verb: verb}, func(context.Context) (result, error) {
		s := c.link.server
		s.mu.Lock()
		defer s.mu.Unlock()
		if ended(c.session.gone) {
			return result{}, errGone
		}
		return result{}, do()
	})
	return err
}

func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if o.Isolation != 0 && o.Isolation != 2 || o.ReadOnly { // sql.LevelDefault, sql.LevelReadCommitted
		return nil, fmt.Errorf("minisql: no transaction of %+v", o)
	}
	if err := c.control(ctx, "begin", c.session.begin); err != nil {
		return nil, err
	}
	c.begun = context.WithoutCancel(ctx)
	return c, nil
}

func (c *conn) Commit() error {
	defer func() { c.begun = nil }()
	return c.control(c.begun, "commit", c.session.commit)
}

// Rollback takes no time, and faults leave it alone: database/sql rolls back on a goroutine of its own
// when a context ends, and whoever gives the connection back meanwhile waits for a mutex.
func (c *conn) Rollback() error {
	defer func() { c.begun = nil }()
	if c.broken.Load() || ended(c.session.gone) {
		return driver.ErrBadConn
	}
	if !c.link.running() {
		return c.breaks(c.begun, Fault{}, driver.ErrBadConn)
	}
	s := c.link.server
	s.mu.Lock()
	defer s.mu.Unlock()
	c.session.rollback()
	return nil
}

func (c *conn) exec(ctx context.Context, sql string, named []driver.NamedValue) (result, error) {
	q, err := parse(sql)
	if err != nil {
		return result{}, err
	}
	args := make([]driver.Value, len(named))
	for i, a := range named {
		args[i] = a.Value
		if b, ok := a.Value.([]byte); ok {
			args[i] = slices.Clone(b) // which is the caller's again when this returns
		}
	}
	return c.trip(ctx, Statement{q.verb, q.table}, func(ctx context.Context) (result, error) {
		return c.session.run(ctx, q, args)
	})
}

func (c *conn) ExecContext(ctx context.Context, sql string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.exec(ctx, sql, args)
	return driver.RowsAffected(r.affected), err
}

func (c *conn) QueryContext(ctx context.Context, sql string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.exec(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return &rows{r}, nil
}

type rows struct{ result }

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }
func (r *rows) Next(to []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(to, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

// Close is for database/sql, which calls it when the connection is of no use, or its pool closes.
func (c *conn) Close() error {
	if !c.broken.Swap(true) {
		c.link.drop(c.session)
	}
	return nil
}

// IsValid says whether the connection goes back to its pool.
func (c *conn) IsValid() bool { return !c.broken.Load() && !ended(c.session.gone) }

// Prepare is not needed: ExecContext and QueryContext take arguments.
func (c *conn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("minisql: no prepared statements")
}

// Begin is BeginTx for database/sql of before there was a context.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }
