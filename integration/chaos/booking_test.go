package chaos

import (
	"context"
	"database/sql"
	"testing"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
)

// What a machine asks of its database. A statement that takes longer is given up, and with it the
// wait for another attempt's open transaction. So is the transaction of a machine that has stopped in
// the middle of it: until then, no other attempt gets past it.
const (
	timeouts    = "&statement_timeout=10s&idle_in_transaction_session_timeout=5s"
	connections = 20
)

// The user's table. Nothing in it keeps a key from being paid twice: that is for package effect.
const paymentsTable = `CREATE TABLE payments (
	number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	key    text NOT NULL
)`

// newBooks makes a database with both tables.
func newBooks(t *testing.T) *database.Database {
	t.Helper()
	db := database.New(t, database.PostgreSQL)
	db.Do(t, paymentsTable)
	table, err := effect.New(db.DB, effect.Config{Dialect: effect.PostgreSQL})
	must(t, err)
	must(t, table.Migrate(t.Context()))
	return db
}

// bookings pays by an entry in the database, which package effect makes once for each key.
func (s settings) bookings() (func(context.Context, run, func()) (payment, error), error) {
	db, err := database.PostgreSQL.Open(s.Books)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	table, err := effect.New(db, effect.Config{Dialect: effect.PostgreSQL})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, entry run, work func()) (payment, error) {
		paid, _, err := effect.Do(ctx, table, "payment", func(ctx context.Context, tx *sql.Tx) (payment, error) {
			made := payment{Attempt: entry.Attempt, Fence: entry.Fence}
			const query = "INSERT INTO payments (key) VALUES ($1) RETURNING number"
			err := tx.QueryRowContext(ctx, query, entry.Key).Scan(&made.Number)
			work()
			return made, err
		})
		return paid, err
	}, nil
}

// booked are the numbers of the payments that a database has under each key.
type booked map[string][]int

// booked reads all payments of mode effects.
func (f *fleet) booked() booked {
	f.t.Helper()
	rows, err := f.books.QueryContext(f.t.Context(), "SELECT key, number FROM payments ORDER BY number")
	must(f.t, err)
	defer rows.Close()
	all := booked{}
	for rows.Next() {
		var key string
		var number int
		must(f.t, rows.Scan(&key, &number))
		all[key] = append(all[key], number)
	}
	must(f.t, rows.Err())
	return all
}
