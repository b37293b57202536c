package database

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// The driver logs each connection that breaks, as tests have them do.
func init() { _ = mysql.SetLogger(&mysql.NopLogger{}) }

// A Database is one test's, empty at its start.
type Database struct {
	*sql.DB
	Dialect Dialect

	// Source is what the driver calls a data source: what a child process, or another library, is
	// given to reach the same database.
	Source string

	server *Server // nil for SQLite
	name   string
}

// Each runs test as a subtest on a database of each dialect.
func Each(t *testing.T, test func(t *testing.T, db *Database)) {
	for _, d := range []Dialect{PostgreSQL, MariaDB, SQLite} {
		t.Run(string(d), func(t *testing.T) { test(t, New(t, d)) })
	}
}

// New makes a database on the server that the tests of this binary share, or in a file. Without a
// Docker engine, or the server's image, the test is skipped, or fails: see [cluster.Require].
func New(t testing.TB, d Dialect) *Database {
	t.Helper()
	if d != SQLite {
		return sharedServer(t, d).New(t)
	}
	db := &Database{Dialect: d, Source: sqliteSource(filepath.Join(t.TempDir(), "test.db"))}
	db.DB = db.Pool(t)
	return db
}

// New makes a database on this server.
func (s *Server) New(t testing.TB) *Database {
	t.Helper()
	name, err := s.create(t.Context())
	must(t, err)
	db := &Database{Dialect: s.Dialect, Source: s.source(s.Published(), name), server: s, name: name}
	db.DB = db.Pool(t)
	return db
}

// sqliteSource has a transaction lock the file when it begins: one that reads first and writes then
// is refused at once, however long others may be waited for (SQLITE_BUSY).
func sqliteSource(file string) string {
	options := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(OFF)"}}
	// The name of a subtest that is run again has a # in it.
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + options.Encode()
}

// Open opens a data source of the dialect.
func (d Dialect) Open(source string) (*sql.DB, error) {
	return sql.Open(kinds[d].driver, source)
}

// Pool opens the database once more, as another machine would, until the test ends.
func (db *Database) Pool(t testing.TB) *sql.DB {
	t.Helper()
	return open(t, db.Dialect, db.Source)
}

func open(t testing.TB, d Dialect, source string) *sql.DB {
	t.Helper()
	pool, err := d.Open(source)
	must(t, err)
	pool.SetMaxOpenConns(32)
	pool.SetMaxIdleConns(32)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// Bind puts a query's placeholders, each a question mark, into the dialect's words.
func (d Dialect) Bind(query string) string {
	if d != PostgreSQL {
		return query
	}
	parts := strings.Split(query, "?")
	bound := parts[0]
	for i, part := range parts[1:] {
		bound += "$" + strconv.Itoa(i+1) + part
	}
	return bound
}

// Do runs a statement, and ends the test if it fails.
func (db *Database) Do(t testing.TB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(patient(t), db.Dialect.Bind(query), args...)
	must(t, err)
}

// Int is the number that a query returns, of what is committed, and ends the test if it fails.
func (db *Database) Int(t testing.TB, query string, args ...any) (n int64) {
	t.Helper()
	must(t, db.QueryRowContext(patient(t), db.Dialect.Bind(query), args...).Scan(&n))
	return n
}

// patient bounds a statement, also where the test's own context has ended.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
