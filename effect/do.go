package effect

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/internal/jitter"
	"github.com/reprise-go/reprise/replay"
)

// Do does an effect once for the request whose work ctx belongs to, and returns its value every
// time. It begins a transaction, writes the row of the effect, calls fn, writes fn's value into the
// row, and commits. If the row is there already, it returns the value in it, and fn is not called.
//
//	receipt, _, err := effect.Do(ctx, table, "charge",
//		func(ctx context.Context, tx *sql.Tx) (Receipt, error) {
//			return book(ctx, tx, order)
//		})
//
// name tells the effects of one request apart: 1 to 64 bytes of printable ASCII without spaces,
// such as "charge" and "outbox". It must stay the same from release to release.
//
// What fn does on tx takes effect once. fn itself may be called several times, each in a
// transaction of its own of which only the last is committed: Do runs it again where
// [Table.Retryable] says so, and after a COMMIT without an answer that turns out to have done
// nothing. So fn must do nothing but by tx, must neither commit nor roll back (as any DDL does in
// MySQL), and must return the errors of its statements. If it fails or panics, all is rolled back,
// and Do returns its error as it is, or carries the panic on. A Do within fn is [ErrNested].
//
// If another attempt has the same row in a transaction that is still open, Do waits for its end. It
// tries at most 20 times, some 4 s of pauses, and not beyond ctx, which in work ends when the lease
// is lost. The other errors are those of this package, of package cache for the value, and the
// database's.
func Do[T any](
	ctx context.Context, t *Table, name string, fn func(context.Context, *sql.Tx) (T, error),
) (T, Result, error) {
	var none T
	if err := t.needDB(); err != nil {
		return none, Result{}, err
	}
	if ctx.Value(withinKey{}) == t.db {
		return none, Result{}, ErrNested
	}
	d := doing[T]{table: t, name: name, fn: fn, token: rand.Text()}
	err := t.again(ctx, func() error { return d.once(ctx) })
	if err == nil && d.remembered {
		d.work.Effect(ctx, replay.Effect{Name: name, Repeated: d.result.Repeated})
	}
	if err != nil {
		return none, Result{}, withCause(ctx, err)
	}
	return d.value, d.result, nil
}

// withinKey is the key of the database whose transaction the function of a Do is within.
type withinKey struct{}

// withCause returns err with the reason why ctx has ended, if err is of that: drivers tell that it
// has ended, and not that the lease is lost.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// A doing is one call of Do.
type doing[T any] struct {
	table *Table
	name  string
	fn    func(context.Context, *sql.Tx) (T, error)
	token string // of all its tries, so that it knows its own row

	work       replay.Work
	remembered bool // there is a row of the effect: not without a key, nor in shadow mode
	unknown    bool // the answer to a COMMIT was lost, and the database has not told yet what came of it
	value      T
	result     Result
}

// once is one try, in a transaction of its own. If the process dies in it, the database rolls back,
// or has committed row and effect together.
//
// The connection is held apart from the transaction in order to be thrown away when the transaction
// can't be ended properly: it could still be open, and be the next user's.
func (d *doing[T]) once(ctx context.Context) (err error) {
	defer func() {
		if err != nil && d.unknown {
			err = fmt.Errorf("%w: %w", ErrCommitUnknown, err)
			if d.remembered {
				err = &againError{err} // The row tells.
			}
		}
	}()
	conn, err := d.table.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: isolationLevels[d.table.cfg.Isolation]})
	if errors.Is(err, driver.ErrBadConn) {
		return &againError{err} // it had broken in the pool
	}
	if err != nil {
		return err
	}
	defer func() {
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			discard(conn)
		}
	}()

	entry, err := join[T](ctx, d.table, TxOf(tx), d.name, d.token)
	if entry != nil {
		// Whose the row is now tells what has come of an earlier COMMIT.
		d.unknown, d.remembered, d.work = false, entry.table != nil, entry.work
	}
	if err != nil {
		return err
	}
	if entry.done {
		d.value, d.result = entry.value, entry.result
		return nil
	}
	d.value, err = d.fn(context.WithValue(ctx, withinKey{}, d.table.db), tx)
	if err != nil {
		return err
	}
	if err := entry.keep(ctx, d.value); err != nil {
		return err
	}
	d.result = Result{Attempt: entry.row.attempt, Fence: entry.row.fence}
	if ctx.Err() != nil {
		return context.Cause(ctx) // Nothing has been committed, which nobody could tell any later.
	}
	if err := tx.Commit(); err != nil {
		discard(conn)
		d.unknown = !d.table.cfg.Dialect.rolledBack(err)
		return err
	}
	return nil
}

// discard closes a connection rather than give it back to the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// again runs once until it succeeds or fails for good, at most maxTries times and not beyond ctx.
func (t *Table) again(ctx context.Context, once func() error) error {
	for try, pause := 1, firstPause; ; try, pause = try+1, min(2*pause, longestPause) {
		err := once()
		if err == nil || try == maxTries || !t.Retryable(err) {
			return err
		}
		timer := time.NewTimer(pause/2 + jitter.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

const (
	maxTries     = 20
	firstPause   = 4 * time.Millisecond
	longestPause = 256 * time.Millisecond
)
