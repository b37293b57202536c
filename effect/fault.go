package effect

import (
	"errors"
	"iter"
	"reflect"
	"slices"
	"strconv"
)

// Retryable reports whether err says that the database has rolled the transaction back, and that it
// may succeed if it is run again: a deadlock, a serialization failure, a lock that was waited for
// too long. [Do] runs it again by itself.
func (t *Table) Retryable(err error) bool {
	if _, ok := errors.AsType[*againError](err); ok {
		return true
	}
	return slices.Contains(transient[t.cfg.Dialect], t.cfg.Dialect.code(err))
}

// An againError is another error after which the transaction is to be run again.
type againError struct{ error }

func (e *againError) Unwrap() error { return e.error }

var transient = map[Dialect][]string{
	PostgreSQL: {
		"40001", // serialization_failure
		"40P01", // deadlock_detected
		"55P03", // lock_not_available, by lock_timeout
	},
	MySQL: {
		"1205", // ER_LOCK_WAIT_TIMEOUT
		"1213", // ER_LOCK_DEADLOCK
		"1020", // ER_CHECKREAD, MariaDB's serialization failure (innodb_snapshot_isolation)
	},
	SQLite: {
		"5", // SQLITE_BUSY
		"6", // SQLITE_LOCKED
	},
}

// madeMeanwhile reports whether CREATE … IF NOT EXISTS failed over what another session had made in
// the same moment.
func (d Dialect) madeMeanwhile(err error) bool {
	switch d {
	case PostgreSQL:
		// unique_violation (in a catalogue), duplicate_table, duplicate_object
		return slices.Contains([]string{"23505", "42P07", "42710"}, d.code(err))
	case SQLite:
		return slices.Contains(transient[d], d.code(err))
	}
	return false
}

// rolledBack reports whether the error of a COMMIT proves that nothing was committed. Any other may
// have come after it: of a connection that broke, a server that shut down, a disk that failed.
func (d Dialect) rolledBack(err error) bool {
	code := d.code(err)
	switch {
	case code == "":
		return false
	case d == PostgreSQL:
		// Of its manual's appendix A, these classes are connections, operators, the system and
		// internal errors; 40003 is statement_completion_unknown, and 25P04 transaction_timeout,
		// which can end a session that has just committed.
		return code != "40003" && code != "25P04" &&
			!slices.Contains([]string{"08", "57", "58", "XX"}, code[:2])
	}
	return slices.Contains(transient[d], code)
}

// code returns the database's own code in err, or "". Drivers' errors are known by their shape, so
// that no driver is linked: those of pgx and lib/pq have a method SQLState, go-sql-driver/mysql's a
// field Number, modernc.org/sqlite's a method Code and mattn/go-sqlite3's a field of that name.
func (d Dialect) code(err error) string {
	for e := range chain(err) {
		switch d {
		case PostgreSQL:
			if e, ok := e.(interface{ SQLState() string }); ok && len(e.SQLState()) == 5 {
				return e.SQLState()
			}
		case MySQL:
			if n := numberIn(e, "Number"); n > 0 {
				return strconv.Itoa(n)
			}
		case SQLite:
			n := numberIn(e, "Code")
			if e, ok := e.(interface{ Code() int }); ok {
				n = e.Code()
			}
			if n > 0 {
				return strconv.Itoa(n & 0xff) // the primary code, of which an extended one has more bits
			}
		}
	}
	return ""
}

// numberIn returns the whole number in a field of err, or 0.
func numberIn(err error, field string) int {
	v := reflect.Indirect(reflect.ValueOf(err))
	if v.Kind() != reflect.Struct {
		return 0
	}
	switch f := v.FieldByName(field); {
	case !f.IsValid():
	case f.CanInt():
		return int(f.Int())
	case f.CanUint():
		return int(f.Uint())
	}
	return 0
}

// chain yields err and all that it wraps.
func chain(err error) iter.Seq[error] {
	return func(yield func(error) bool) { walk(err, yield) }
}

func walk(err error, yield func(error) bool) bool {
	if err == nil {
		return true
	}
	if !yield(err) {
		return false
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return walk(e.Unwrap(), yield)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if !walk(inner, yield) {
				return false
			}
		}
	}
	return true
}
