// Package payments takes payments by one handler that is written in seven ways: unsafe to retry, as most
// are, and with each of the tools that cure it. Its test plays reprisetest.RetrySafe against all of them,
// and has the table of docs/testing-your-handler.md for what it expects.
//
//	go test ./examples/unsafe
//	PAY=naive go test -run TestOne ./examples/unsafe    one of the seven, and what it does wrong
//
// The seven are in ways.go.
package payments

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log"
	"net/http"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// An API takes payments. All processes share its database and its provider.
type API struct {
	db       *sql.DB
	effects  *effect.Table
	provider *Provider
}

// An Order is what is to be paid. Reference is the client's Idempotency-Key.
type Order struct {
	Reference string `json:"-"`
	Amount    int64  `json:"amount"`
}

// A Payment is what was paid.
type Payment struct {
	ID     int64 `json:"id"`
	Amount int64 `json:"amount"`
}

const schema = `CREATE TABLE IF NOT EXISTS payments (
	id        INTEGER PRIMARY KEY,
	reference TEXT NOT NULL,
	amount    INTEGER NOT NULL
)`

// New makes an API over a SQLite database, and the tables that it needs.
func New(ctx context.Context, db *sql.DB) (*API, error) {
	effects, err := effect.New(db, effect.Config{Dialect: effect.SQLite})
	if err != nil {
		return nil, err
	}
	if err := effects.Migrate(ctx); err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	return &API{db: db, effects: effects, provider: NewProvider()}, nil
}

// Handler is what one process serves.
func (a *API) Handler(engine *replay.Engine, way Way) (http.Handler, error) {
	cfg := httpadapter.Config{Scope: httpadapter.GlobalScope, RequireKey: true}
	if way.Reconcile != nil {
		cfg.OnAbandoned = replay.AskReconcile
		cfg.Reconcile = func(w http.ResponseWriter, r *http.Request) replay.Decision {
			return a.reconcile(w, r, way)
		}
	}
	adapter, err := httpadapter.New(engine, cfg)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /payments", adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.pay(w, r, way)
	})))
	return mux, nil
}

func (a *API) pay(w http.ResponseWriter, r *http.Request, way Way) {
	order, ok := orderOf(r)
	if !ok {
		http.Error(w, `want a body such as {"amount":1999}`, http.StatusBadRequest)
		return
	}
	payment, err := way.Pay(a, r.Context(), order)
	switch {
	case err == nil:
		created(w, payment)
	case errors.Is(err, lock.ErrLost), errors.Is(err, errOther):
		// 409 is not stored: whoever holds the key now, or had it before, decides what the answer is.
		http.Error(w, "the payment is another request's", http.StatusConflict)
	default:
		log.Print(err)
		http.Error(w, "the payment may not have been taken: ask again under the same key", http.StatusInternalServerError)
	}
}

func (a *API) reconcile(w http.ResponseWriter, r *http.Request, way Way) replay.Decision {
	order, ok := orderOf(r)
	if !ok {
		return replay.NotDone // the handler will say what is wrong with it
	}
	payment, err := way.Reconcile(a, r.Context(), order)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return replay.NotDone
	case err != nil:
		return replay.Undecided
	}
	created(w, payment)
	return replay.Done
}

func orderOf(r *http.Request) (Order, bool) {
	order := Order{Reference: r.Header.Get("Idempotency-Key")}
	err := json.NewDecoder(r.Body).Decode(&order)
	return order, err == nil && order.Amount > 0
}

func created(w http.ResponseWriter, p Payment) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(p) // an error means that the client has gone
}
