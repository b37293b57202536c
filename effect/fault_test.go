package effect

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"
)

// The shapes of drivers' errors.
type (
	postgresError struct{ state string }   // as pgx's and lib/pq's
	mysqlError    struct{ Number uint16 }  // as go-sql-driver/mysql's
	moderncError  struct{ code int }       // as modernc.org/sqlite's
	mattnError    struct{ Code mattnCode } // as mattn/go-sqlite3's, a value and no pointer
	mattnCode     int
)

func (e *postgresError) Error() string    { return e.state }
func (e *postgresError) SQLState() string { return e.state }
func (e *mysqlError) Error() string       { return fmt.Sprint(e.Number) }
func (e *moderncError) Error() string     { return fmt.Sprint(e.code) }
func (e *moderncError) Code() int         { return e.code }
func (e mattnError) Error() string        { return fmt.Sprint(int(e.Code)) }

func TestRetryable(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		err     error
		want    bool
	}{
		{PostgreSQL, &postgresError{"40001"}, true},
		{PostgreSQL, &postgresError{"40P01"}, true},
		{PostgreSQL, &postgresError{"55P03"}, true},
		{PostgreSQL, &postgresError{"23505"}, false},
		{PostgreSQL, &mysqlError{1213}, false}, // of another database, which did not end this transaction
		{MySQL, &mysqlError{1213}, true},
		{MySQL, &mysqlError{1205}, true},
		{MySQL, &mysqlError{1020}, true},
		{MySQL, &mysqlError{1062}, false},
		{SQLite, &moderncError{5}, true},
		{SQLite, &moderncError{6}, true},
		{SQLite, &moderncError{5 | 2<<8}, true}, // SQLITE_BUSY_SNAPSHOT
		{SQLite, &moderncError{19}, false},
		{SQLite, mattnError{5}, true},
		{SQLite, mattnError{19}, false},
		{SQLite, io.ErrUnexpectedEOF, false},
		{SQLite, nil, false},
	} {
		table := &Table{cfg: Config{Dialect: c.dialect}}
		for _, err := range []error{c.err, wrapped(c.err), errors.Join(io.EOF, wrapped(c.err))} {
			if got := table.Retryable(err); got != c.want {
				t.Errorf("%s: %v (%T): got %v", c.dialect, err, err, got)
			}
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("booking: %w", err)
}

// Whatever does not prove that a COMMIT came to nothing leaves that open.
func TestRolledBack(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		err     error
		want    bool
	}{
		{PostgreSQL, &postgresError{"40001"}, true},
		{PostgreSQL, &postgresError{"23503"}, true}, // a deferred constraint
		{PostgreSQL, &postgresError{"40003"}, false},
		{PostgreSQL, &postgresError{"08006"}, false},
		{PostgreSQL, &postgresError{"57P01"}, false},
		{PostgreSQL, &postgresError{"25P04"}, false},
		{PostgreSQL, &postgresError{"58030"}, false},
		{PostgreSQL, &postgresError{"XX000"}, false},
		{PostgreSQL, io.EOF, false},
		{MySQL, &mysqlError{1213}, true},
		{MySQL, &mysqlError{1180}, false}, // ER_ERROR_DURING_COMMIT
		{MySQL, driver.ErrBadConn, false},
		{SQLite, &moderncError{5}, true},
		{SQLite, &moderncError{10}, false}, // SQLITE_IOERR
	} {
		if got := c.dialect.rolledBack(wrapped(c.err)); got != c.want {
			t.Errorf("%s: %v: got %v", c.dialect, c.err, got)
		}
	}
}

func TestMadeMeanwhile(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		err     error
		want    bool
	}{
		{PostgreSQL, &postgresError{"23505"}, true},
		{PostgreSQL, &postgresError{"42P07"}, true},
		{PostgreSQL, &postgresError{"42501"}, false},
		{MySQL, &mysqlError{1050}, false}, // MySQL's IF NOT EXISTS holds
		{SQLite, &moderncError{5}, true},
		{SQLite, &moderncError{1}, false},
	} {
		if got := c.dialect.madeMeanwhile(c.err); got != c.want {
			t.Errorf("%s: %v: got %v", c.dialect, c.err, got)
		}
	}
}
