// Package shop is the part that the examples of routers share: an API that takes payments, and its
// server. The part that differs is in each router's program.
package shop

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// A Shop keeps its payments for as long as the program runs. It is safe for concurrent use.
type Shop struct {
	// Payments and Refunds make one route each safe to retry. They differ in their policy: a
	// payment that was refused stays refused under its key, a refund that was refused may be asked
	// for again.
	Payments, Refunds *httpadapter.Adapter

	// Charge, if not nil, is called before money moves, with the context of the work. A test blocks
	// or panics there.
	Charge func(context.Context)

	mu       sync.Mutex
	payments []Payment
}

// An Order asks for a payment. Only the amount comes from the client's body: who pays is
// authenticated, who is paid is in the path.
type Order struct {
	From   string `json:"-"`
	To     string `json:"-"`
	Amount int64  `json:"amount"` // in cents, at least 1
}

// A Payment is an order that was carried out. That of a refund has a negative amount.
type Payment struct {
	ID      string `json:"id"`
	From    string `json:"from"`
	To      string `json:"to"`
	Amount  int64  `json:"amount"`
	Attempt int    `json:"attempt"` // 2 or more: an earlier one failed, or died
}

// A Refusal is an order that can't be carried out, and why.
type Refusal struct {
	Field string
	Value int64
	Want  string
}

func (e *Refusal) Error() string { return fmt.Sprintf("%s: got %d, want %s", e.Field, e.Value, e.Want) }

// New returns a shop whose routes are made safe to retry by engine.
func New(engine *replay.Engine) (*Shop, error) {
	payments, err := httpadapter.New(engine, httpadapter.Config{Scope: Scope, RequireKey: true})
	if err != nil {
		return nil, err
	}
	refunds, err := payments.Route(func(c *httpadapter.Config) { c.Stores = httpadapter.StoreSuccess })
	if err != nil {
		return nil, err
	}
	return &Shop{Payments: payments, Refunds: refunds}, nil
}

// Pay carries out an order. An error is a *Refusal: nothing has been done.
func (s *Shop) Pay(ctx context.Context, o Order) (Payment, error) {
	if o.Amount < 1 {
		return Payment{}, &Refusal{"amount", o.Amount, "at least 1"}
	}
	return s.move(ctx, o), nil
}

// Refund takes back part of what was paid. An error is a *Refusal: nothing has been done.
func (s *Shop) Refund(ctx context.Context, o Order) (Payment, error) {
	var paid int64
	for _, p := range s.List(o.From, o.To) {
		paid += p.Amount
	}
	if o.Amount < 1 || o.Amount > paid {
		return Payment{}, &Refusal{"amount", o.Amount, fmt.Sprintf("1 to %d, which was paid", paid)}
	}
	o.Amount = -o.Amount
	return s.move(ctx, o), nil
}

// List returns the payments from one account to another, the oldest first.
func (s *Shop) List(from, to string) []Payment {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Payment{} // [] in JSON, where nil is null
	for _, p := range s.payments {
		if p.From == from && p.To == to {
			list = append(list, p)
		}
	}
	return list
}

func (s *Shop) move(ctx context.Context, o Order) Payment {
	if s.Charge != nil {
		s.Charge(ctx)
	}
	attempt, _ := replay.AttemptFrom(ctx)
	p := Payment{"pay_" + rand.Text(), o.From, o.To, o.Amount, attempt.Number}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.payments = append(s.payments, p)
	return p
}
