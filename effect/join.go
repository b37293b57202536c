package effect

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/charset"
	"github.com/reprise-go/reprise/replay"
)

// A Tx is a transaction of any library, by the two functions that are needed of it.
type Tx struct {
	// Exec runs a statement and returns how many rows it has changed.
	Exec func(ctx context.Context, query string, args ...any) (rows int64, err error)

	// QueryRow runs a query, and returns its first row. Without one, Scan's error is sql.ErrNoRows,
	// or wraps it.
	QueryRow func(ctx context.Context, query string, args ...any) Row
}

// A Row is a *sql.Row, a pgx.Row and the like.
type Row interface{ Scan(dest ...any) error }

// TxOf returns tx as a Tx.
func TxOf(tx *sql.Tx) Tx {
	return Tx{
		Exec: func(ctx context.Context, query string, args ...any) (int64, error) {
			done, err := tx.ExecContext(ctx, query, args...)
			if err != nil {
				return 0, err
			}
			return done.RowsAffected()
		},
		QueryRow: func(ctx context.Context, query string, args ...any) Row {
			return tx.QueryRowContext(ctx, query, args...)
		},
	}
}

// A Result says how an effect came about.
type Result struct {
	Repeated bool      // it was done by an earlier transaction, and its value is the one of then
	Attempt  int       // which attempt of the request did it; 0 without a claim
	Fence    int64     // of that attempt; 0 without a claim
	At       time.Time // when, by the database's clock, to the ms; zero unless Repeated
}

// Join is the lower half of [Do], for those whose transactions are not database/sql's, or who have
// reasons to begin them themselves. It writes the effect's row into tx, as its first statement; if
// another transaction with the same row is open, it waits for that one's end.
//
//	entry, err := effect.Join[Receipt](ctx, table, tx, "charge")
//	if err != nil {
//		return err // and roll back
//	}
//	if receipt, done := entry.Value(); done {
//		return receipt // and roll back: there is nothing to do
//	}
//	… // the effect, on the same transaction
//	if err := entry.Keep(ctx, receipt); err != nil {
//		return err // and roll back
//	}
//	… // commit
//
// name tells the effects of one request apart: 1 to 64 bytes of printable ASCII without spaces. The
// errors are those of this package and of the database; after any of them the transaction must be
// rolled back. Where [Table.Retryable] says so, or where the answer to the COMMIT was lost, run all
// of it again, in a new transaction.
func Join[T any](ctx context.Context, t *Table, tx Tx, name string) (*Entry[T], error) {
	e, err := join[T](ctx, t, tx, name, rand.Text())
	if err != nil {
		return nil, err
	}
	if e.result.Repeated {
		e.work.Effect(ctx, replay.Effect{Name: name, Repeated: true})
	}
	return e, nil
}

// join is Join with a token by which a row is known as one's own. As soon as the database has told
// whose the row is, there is an Entry, also with an error.
func join[T any](ctx context.Context, t *Table, tx Tx, name, token string) (*Entry[T], error) {
	if len(name) == 0 || len(name) > 64 || nameBytes.Span(name) < len(name) {
		return nil, &ConfigError{Name: "name", Value: name, Want: "1 to 64 bytes of printable ASCII without spaces"}
	}
	work, observed, err := t.workOf(ctx)
	if err != nil {
		return nil, err
	}
	if !observed {
		return &Entry[T]{}, nil
	}
	if err := work.Refused(); err != nil {
		return nil, fmt.Errorf("effect: %s: %w", name, err)
	}
	e := &Entry[T]{table: t, tx: tx, work: work, row: row{
		key: work.Key, name: name, fingerprint: work.Fingerprint,
		attempt: work.Attempt, fence: work.Fence, token: token,
	}}
	if e.done, err = e.row.insert(ctx, t, tx); err != nil {
		return nil, fmt.Errorf("effect: %s: %w", name, err)
	}
	if e.done {
		if err := e.read(ctx, token); err != nil {
			return e, fmt.Errorf("effect: %s: %w", name, err)
		}
	}
	return e, nil
}

var nameBytes = charset.New("!-~")

// workOf returns the work that ctx belongs to, and whether its effects are to be observed.
func (t *Table) workOf(ctx context.Context) (work replay.Work, observed bool, err error) {
	work, ok := replay.WorkFrom(ctx)
	switch {
	case !ok && t.cfg.OnNoKey == RunNoKey:
		return work, false, nil
	case !ok:
		return work, false, ErrNoKey
	}
	return work, !work.Shadow, nil
}

// An Entry is the row of an effect within a transaction.
type Entry[T any] struct {
	table  *Table // nil if there is no row: without a key, and in shadow mode
	tx     Tx
	work   replay.Work
	row    row
	done   bool
	value  T
	result Result
}

// Value returns the effect's value, and true, if it has been done before: it must not be done
// again.
func (e *Entry[T]) Value() (value T, done bool) { return e.value, e.done }

// Result says how the effect came about.
func (e *Entry[T]) Result() Result { return e.result }

// Keep writes the effect's value into its row, which the commit then makes last. It is to be called
// after the effect and before the commit, once. What is kept is a record of package cache, whose
// documentation says under Values what T can be; its errors come from there, and from the database.
//
// It is also when replay.Trace is told that the effect is done: of the commit, which is the caller's,
// only Do could tell.
func (e *Entry[T]) Keep(ctx context.Context, value T) error {
	if err := e.keep(ctx, value); err != nil || e.table == nil {
		return err
	}
	e.work.Effect(ctx, replay.Effect{Name: e.row.name})
	return nil
}

func (e *Entry[T]) keep(ctx context.Context, value T) error {
	if e.table == nil {
		return nil
	}
	if err := e.row.keep(ctx, e.table, e.tx, &value); err != nil {
		return fmt.Errorf("effect: %s: %w", e.row.name, err)
	}
	return nil
}

// read makes the entry that of the row which was found. One with our token is our own, of a
// transaction whose COMMIT was not answered.
func (e *Entry[T]) read(ctx context.Context, token string) error {
	own := e.row.token == token
	if !own {
		if err := e.work.Match(ctx, e.row.fingerprint); err != nil {
			return err
		}
	}
	if err := e.row.decode(e.table.codec, &e.value); err != nil {
		return err
	}
	e.result = Result{Attempt: e.row.attempt, Fence: e.row.fence}
	if !own {
		e.result.Repeated, e.result.At = true, time.UnixMilli(e.row.at)
		e.work.Repeated()
	}
	return nil
}

// A row is one of the table.
type row struct {
	key, name, fingerprint, token string
	attempt                       int
	fence                         int64
	value                         []byte // nil until it is kept
	at                            int64  // ms since 1970
}

// insert writes the row, or reads the one that is there in its place.
func (r *row) insert(ctx context.Context, t *Table, tx Tx) (found bool, err error) {
	inserted, err := tx.Exec(ctx, t.sql.insert, r.key, r.name, r.fingerprint, r.attempt, r.fence, r.token)
	if err != nil || inserted == 1 {
		return false, err
	}
	err = tx.QueryRow(ctx, t.sql.find, r.key, r.name).
		Scan(&r.fingerprint, &r.attempt, &r.fence, &r.token, &r.value, &r.at)
	if errors.Is(err, sql.ErrNoRows) {
		// It was there a moment ago, and has been purged.
		return false, &againError{err}
	}
	return true, err
}

// keep changes no row if the one that was inserted has gone, as it has when the caller's function
// went back to a savepoint before it, or ended the transaction.
func (r *row) keep(ctx context.Context, t *Table, tx Tx, v any) error {
	header := cache.Header{Fence: r.fence, Fingerprint: r.fingerprint}
	value, err := t.codec.Encode(r.address(), header, v)
	if err != nil {
		return err
	}
	changed, err := tx.Exec(ctx, t.sql.keep, value, r.key, r.name, r.token)
	if err == nil && changed != 1 {
		err = errors.New("the row has been rolled back, or kept before")
	}
	return err
}

func (r *row) decode(codec *cache.Codec, v any) error {
	if r.value == nil {
		return ErrNotKept
	}
	record, err := codec.Open(r.address(), string(r.value))
	if err != nil {
		return err
	}
	// The columns are there to be read and searched; a record that is sealed vouches for its own.
	if record.Fingerprint != r.fingerprint || record.Fence != r.fence {
		return fmt.Errorf("%w: fingerprint or fence differ from the row's", cache.ErrCorrupt)
	}
	return record.Decode(v)
}

// address is the key that the record is bound to: a value moved to another row is corrupt.
func (r *row) address() string { return r.key + "/" + r.name }
