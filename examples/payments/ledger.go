package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/reprise-go/reprise/effect"
)

// A payment is money that was taken.
type payment struct {
	ID       string `json:"id"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Attempt  int    `json:"attempt"`
	Fence    int64  `json:"fence"`
}

// A ledger is the database that all replicas share. Beside the payments it has the table of
// effects, by which a payment is made once.
type ledger struct {
	db      *sql.DB
	effects *effect.Table
	scratch string // a directory to remove at the end, if nobody named a file
}

// openLedger opens the database at a URL of PostgreSQL or in a file of SQLite, which is made if
// need be. Without either it makes one that ends with the program.
func openLedger(ctx context.Context, where string, cfg effect.Config) (_ *ledger, err error) {
	l := &ledger{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if isURL(where) {
		cfg.Dialect = effect.PostgreSQL
		l.db, err = sql.Open("pgx", where)
	} else {
		if where == "" {
			if l.scratch, err = os.MkdirTemp("", "payments-"); err != nil {
				return nil, err
			}
			where = filepath.Join(l.scratch, "payments.db")
		}
		cfg.Dialect = effect.SQLite
		l.db, err = sql.Open("sqlite", sqliteURL(where))
	}
	if err == nil {
		l.effects, err = effect.New(l.db, cfg)
	}
	if err == nil {
		err = l.effects.Migrate(ctx)
	}
	if err == nil {
		_, err = l.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS payments (
			id text PRIMARY KEY, account text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
			attempt bigint NOT NULL, fence bigint NOT NULL, made bigint NOT NULL)`)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func isURL(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// sqliteURL has a transaction take the lock to write when it begins, and wait for it for 10 s: one
// that begins by reading can't wait for another that writes.
func sqliteURL(file string) string {
	options := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)"},
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: options.Encode()}).String()
}

// charge takes the money, once for each request under a key, and gives the payment its ID. A retry
// gets the payment that an earlier attempt made, whatever became of that attempt.
func (l *ledger) charge(ctx context.Context, account string, p payment) (payment, error) {
	paid, _, err := effect.Do(ctx, l.effects, "charge",
		func(ctx context.Context, tx *sql.Tx) (payment, error) {
			p.ID = "pay_" + rand.Text()
			_, err := tx.ExecContext(ctx, `INSERT INTO payments (id, account, amount, currency, attempt, fence, made)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				p.ID, account, p.Amount, p.Currency, p.Attempt, p.Fence, time.Now().UnixMicro())
			return p, err
		})
	return paid, err
}

const columns = `SELECT id, amount, currency, attempt, fence FROM payments WHERE account = $1`

func scan(row interface{ Scan(...any) error }) (p payment, err error) {
	err = row.Scan(&p.ID, &p.Amount, &p.Currency, &p.Attempt, &p.Fence)
	return p, err
}

// find returns a payment, if it is the account's.
func (l *ledger) find(ctx context.Context, account, id string) (p payment, found bool, err error) {
	p, err = scan(l.db.QueryRowContext(ctx, columns+` AND id = $2`, account, id))
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	return p, err == nil, err
}

// list returns the account's payments, and how often anybody was charged: each charge is in there
// for everybody to count, since that is what this program is about.
func (l *ledger) list(ctx context.Context, account string) (charges int, payments []payment, err error) {
	if err := l.db.QueryRowContext(ctx, `SELECT count(*) FROM payments`).Scan(&charges); err != nil {
		return 0, nil, err
	}
	rows, err := l.db.QueryContext(ctx, columns+` ORDER BY made, id`, account)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	payments = []payment{}
	for rows.Next() {
		p, err := scan(rows)
		if err != nil {
			return 0, nil, err
		}
		payments = append(payments, p)
	}
	return charges, payments, rows.Err()
}

// purge forgets effects that no retry asks for any more, once an hour until ctx ends.
func (l *ledger) purge(ctx context.Context, log *slog.Logger) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hourly.C:
			if deleted, err := l.effects.Purge(ctx, 0); err != nil {
				log.Warn("old effects could not be purged", "deleted", deleted, "err", err)
			}
		}
	}
}

func (l *ledger) close() error {
	var errs []error
	if l.db != nil {
		errs = append(errs, l.db.Close())
	}
	if l.scratch != "" {
		errs = append(errs, os.RemoveAll(l.scratch))
	}
	return errors.Join(errs...)
}

// describe says where the ledger is, without a password.
func describe(where string) string {
	if u, err := url.Parse(where); err == nil && isURL(where) {
		return fmt.Sprintf("PostgreSQL at %s%s", u.Host, u.Path)
	}
	return cmp.Or(where, "a file that ends with the program")
}
