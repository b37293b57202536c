package payments

import (
	"context"
	"database/sql"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/replay"
)

// A Way is one way to take a payment.
type Way struct {
	Name string
	Pay  func(*API, context.Context, Order) (Payment, error)

	// Reconcile, if not nil, is asked in place of Pay after an attempt that died: for the payment that
	// it has taken, or sql.ErrNoRows.
	Reconcile func(*API, context.Context, Order) (Payment, error)
}

// Ways are all of them, by the names that docs/testing-your-handler.md has.
var Ways = []Way{
	{Name: "naive", Pay: naive},
	{Name: "attempt", Pay: attempt},
	{Name: "reconcile", Pay: naive, Reconcile: taken},
	{Name: "fence", Pay: fence},
	{Name: "attempt and fence", Pay: attemptAndFence},
	{Name: "derived key", Pay: derivedKey},
	{Name: "effect", Pay: once},
}

// naive takes the payment each time it is asked.
func naive(a *API, ctx context.Context, o Order) (Payment, error) { return insert(ctx, a.db, o) }

// attempt looks for what an earlier attempt has taken. It isn't told of one that Redis has forgotten, nor
// of one that is late.
func attempt(a *API, ctx context.Context, o Order) (Payment, error) {
	if at, _ := replay.AttemptFrom(ctx); at.Number > 1 {
		if p, err := taken(a, ctx, o); err != sql.ErrNoRows {
			return p, err
		}
	}
	return insert(ctx, a.db, o)
}

// taken returns the payment that was taken for the order, or sql.ErrNoRows.
func taken(a *API, ctx context.Context, o Order) (p Payment, err error) {
	err = a.db.QueryRowContext(ctx, `SELECT id, amount FROM payments WHERE reference = $1`, o.Reference).Scan(&p.ID, &p.Amount)
	return p, err
}

// fence keeps a holder that lost the key from coming late, and takes nothing while there is no claim. An
// attempt after one that died has the larger fence, and takes the payment again.
func fence(a *API, ctx context.Context, o Order) (Payment, error) {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return Payment{}, err
	}
	defer tx.Rollback()
	if err := effect.Fence(ctx, a.effects, effect.TxOf(tx), o.Reference); err != nil {
		return Payment{}, err
	}
	p, err := insert(ctx, tx, o)
	if err != nil {
		return Payment{}, err
	}
	return p, tx.Commit()
}

// attemptAndFence is safe as long as Redis forgets no answer. The fence comes first: once an attempt has
// raised it, none before can take a payment that this one has not seen.
func attemptAndFence(a *API, ctx context.Context, o Order) (Payment, error) {
	if at, _ := replay.AttemptFrom(ctx); at.Number > 1 {
		if err := a.raise(ctx, o.Reference); err != nil {
			return Payment{}, err
		}
		if p, err := taken(a, ctx, o); err != sql.ErrNoRows {
			return p, err
		}
	}
	return fence(a, ctx, o)
}

// raise shuts out every holder before this one.
func (a *API) raise(ctx context.Context, reference string) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := effect.Fence(ctx, a.effects, effect.TxOf(tx), reference); err != nil {
		return err
	}
	return tx.Commit()
}

// derivedKey has another company take the payment, under a key of theirs that is the same whenever this
// request runs, and books it here under their number for it.
func derivedKey(a *API, ctx context.Context, o Order) (Payment, error) {
	key, err := replay.DeriveKey(ctx, "charge")
	if err != nil {
		return Payment{}, err
	}
	charge, err := a.provider.Charge(key, o.Amount)
	if err != nil {
		return Payment{}, err
	}
	_, err = a.db.ExecContext(ctx, `INSERT INTO payments (id, reference, amount) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`,
		charge, o.Reference, o.Amount)
	return Payment{ID: charge, Amount: o.Amount}, err
}

// once takes the payment in one transaction with the row that remembers it.
func once(a *API, ctx context.Context, o Order) (Payment, error) {
	p, _, err := effect.Do(ctx, a.effects, "charge", func(ctx context.Context, tx *sql.Tx) (Payment, error) {
		return insert(ctx, tx, o)
	})
	return p, err
}

// insert takes a payment, on a database or a transaction.
func insert(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, o Order) (Payment, error) {
	p := Payment{Amount: o.Amount}
	err := db.QueryRowContext(ctx, `INSERT INTO payments (reference, amount) VALUES ($1, $2) RETURNING id`, o.Reference, o.Amount).Scan(&p.ID)
	return p, err
}
