package minisql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
)

type table struct {
	columns []string
	primary []string        // the columns of the primary key
	rows    map[string]*row // by primary key
}

// A row is a place for a primary key, with what is committed there and what its holder makes of it.
type row struct {
	committed values // nil: nothing
	pending   values // the holder's; nil: nothing
	holder    *transaction
	queue     []*waiter
}

type values = map[string]driver.Value

type waiter struct {
	tx      *transaction
	granted chan struct{} // closed when the row is tx's
}

// visible is what a transaction reads.
func (r *row) visible(x *transaction) values {
	if r.holder == x {
		return r.pending
	}
	return r.committed
}

// release hands the row to who waits for it first.
func (r *row) release() {
	r.holder, r.pending = nil, nil
	if len(r.queue) > 0 {
		next := r.queue[0]
		r.queue = r.queue[1:]
		r.grant(next.tx)
		close(next.granted)
	}
}

func (r *row) grant(x *transaction) {
	r.holder, r.pending = x, r.committed
	x.locked = append(x.locked, r)
}

// lock makes the row x's. The caller holds the server's mu, which is free while x waits.
func (s *Server) lock(ctx context.Context, x *transaction, r *row) error {
	if r.holder == x {
		return nil
	}
	if r.holder == nil {
		r.grant(x)
		return nil
	}
	for y := r.holder; y.waits != nil; y = y.waits.holder {
		if y.waits.holder == x {
			return ErrDeadlock
		}
	}
	w := &waiter{x, make(chan struct{})}
	r.queue = append(r.queue, w)
	x.waits = r
	s.mu.Unlock()
	select {
	case <-w.granted:
	case <-ctx.Done():
	case <-x.session.gone:
	}
	s.mu.Lock()
	x.waits = nil
	if ended(w.granted) {
		return nil
	}
	r.queue = slices.DeleteFunc(r.queue, func(o *waiter) bool { return o == w })
	if ended(x.session.gone) {
		return errGone
	}
	return ctx.Err()
}

// write lets x leave a row so.
func (x *transaction) write(table string, r *row, v values) {
	r.pending = v
	if !slices.ContainsFunc(x.writes, func(w written) bool { return w.row == r }) {
		x.writes = append(x.writes, written{table, r})
	}
}

// A result is what a statement gives: rows of the columns asked for, or how many it changed.
type result struct {
	columns  []string
	rows     [][]driver.Value
	affected int64
}

// execute executes a statement. The caller holds mu.
func (s *Server) execute(ctx context.Context, x *transaction, q *statement, args []driver.Value) (result, error) {
	if q.verb == "create" {
		if s.tables == nil {
			s.tables = map[string]*table{}
		}
		if q.table != "" && s.tables[q.table] == nil { // and not an index
			s.tables[q.table] = &table{columns: q.columns, primary: q.primary, rows: map[string]*row{}}
		}
		return result{}, nil
	}
	t := s.tables[q.table]
	if t == nil {
		return result{}, &Error{"42P01", fmt.Sprintf("relation %q does not exist", q.table)}
	}
	for _, name := range slices.Concat(q.columns, q.named) {
		if !slices.Contains(t.columns, name) {
			return result{}, &Error{"42703", fmt.Sprintf("column %q of %q does not exist", name, q.table)}
		}
	}
	if q.parameters > len(args) {
		return result{}, &Error{"08P01", fmt.Sprintf("%d arguments for %d parameters", len(args), q.parameters)}
	}
	in := scope{args: args, now: x.begun}
	switch q.verb {
	case "insert":
		return s.insert(ctx, x, t, q, in)
	case "select":
		return s.query(ctx, x, t, q, in)
	default:
		return s.change(ctx, x, t, q, in)
	}
}

func (s *Server) insert(ctx context.Context, x *transaction, t *table, q *statement, in scope) (result, error) {
	fresh := values{}
	for _, c := range t.columns {
		fresh[c] = nil
	}
	for i, c := range q.columns {
		fresh[c] = q.values[i](in)
	}
	key := t.key(fresh)
	r := t.rows[key]
	if r == nil {
		r = &row{}
		t.rows[key] = r
	}
	free := r.holder != x
	if err := s.lock(ctx, x, r); err != nil {
		return result{}, err
	}
	old := r.pending
	in.row, in.fresh = old, fresh
	switch {
	case old == nil:
		x.write(q.table, r, fresh)
		return result{affected: 1}, nil
	case q.conflict == "update" && q.holds(in):
		x.write(q.table, r, q.assigned(in))
		return result{affected: 1}, nil
	case q.conflict == "":
		return result{}, errUnique
	}
	if q.conflict == "nothing" && free { // what it leaves alone it doesn't lock
		x.locked = slices.DeleteFunc(x.locked, func(o *row) bool { return o == r })
		r.release()
	}
	return result{}, nil
}

func (s *Server) query(ctx context.Context, x *transaction, t *table, q *statement, in scope) (result, error) {
	found := result{columns: q.columns}
	for _, key := range slices.Sorted(maps.Keys(t.rows)) {
		r := t.rows[key]
		if in.row = r.visible(x); in.row == nil || !q.holds(in) {
			continue
		}
		if q.locks {
			if err := s.lock(ctx, x, r); err != nil {
				return result{}, err
			}
			if in.row = r.pending; in.row == nil || !q.holds(in) {
				continue
			}
		}
		var out []driver.Value
		for _, c := range q.columns {
			out = append(out, in.row[c])
		}
		found.rows = append(found.rows, out)
	}
	return found, nil
}

// change updates or deletes rows: those that fit when it began, if they still do once they are x's.
func (s *Server) change(ctx context.Context, x *transaction, t *table, q *statement, in scope) (result, error) {
	var n int64
	for _, key := range slices.Sorted(maps.Keys(t.rows)) {
		r := t.rows[key]
		if in.row = r.visible(x); in.row == nil || !q.holds(in) || q.skips && r.holder != nil && r.holder != x {
			continue
		}
		if err := s.lock(ctx, x, r); err != nil {
			return result{}, err
		}
		if in.row = r.pending; in.row == nil || !q.holds(in) {
			continue
		}
		n++
		if q.verb == "delete" {
			x.write(q.table, r, nil)
			continue
		}
		x.write(q.table, r, q.assigned(in))
	}
	return result{affected: n}, nil
}

func (t *table) key(v values) string {
	var key string
	for _, c := range t.primary {
		key += fmt.Sprintf("%q ", text(v[c]))
	}
	if len(t.primary) == 0 {
		key = fmt.Sprintf("%09d", len(t.rows))
	}
	return key
}
