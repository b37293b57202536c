package main

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
)

// A payment is money that was taken.
type payment struct {
	ID       string `json:"id"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Attempt  int    `json:"attempt"`
	Fence    int64  `json:"fence"`
}

// A ledger stands for the database that all replicas share.
type ledger struct {
	mu       sync.Mutex
	charges  int                  // how often money was taken, from whichever account
	payments map[string][]payment // by account
	latest   map[operation]payment
	fences   map[operation]int64
}

// An operation is what should happen once: what an account asks for under a key.
type operation struct{ account, key string }

func newLedger() *ledger {
	return &ledger{
		payments: map[string][]payment{},
		latest:   map[operation]payment{},
		fences:   map[operation]int64{},
	}
}

// errStale means that a later attempt at the operation has written already.
var errStale = errors.New("the fence is older than one that was seen")

// pass returns errStale if a later attempt at op has written already: this one may have lost its
// key without noticing, for example because its machine was suspended. A database checks this in
// the transaction that charges, where no row means that the attempt is stale:
//
//	INSERT INTO fences (account, key, fence) VALUES ($1, $2, $3)
//	ON CONFLICT (account, key) DO UPDATE SET fence = $3 WHERE fences.fence <= $3
//	RETURNING fence
//
// Work that runs without a claim, which settings may allow while Redis is down, has fence 0.
func (l *ledger) pass(op operation, fence int64) error {
	if fence != 0 && fence < l.fences[op] {
		return errStale
	}
	l.fences[op] = max(fence, l.fences[op])
	return nil
}

// charge takes the money, and gives the payment its ID.
func (l *ledger) charge(op operation, p payment) (payment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.pass(op, p.Fence); err != nil {
		return payment{}, err
	}
	p.ID = "pay_" + rand.Text()
	l.charges++
	l.payments[op.account] = append(l.payments[op.account], p)
	l.latest[op] = p
	return p, nil
}

// charged reports whether an attempt before this fence has charged. None can charge afterwards.
func (l *ledger) charged(op operation, fence int64) (p payment, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.pass(op, fence); err != nil {
		return payment{}, false, err
	}
	p, ok = l.latest[op]
	return p, ok, nil
}

// find returns a payment, if it is the account's.
func (l *ledger) find(account, id string) (payment, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.payments[account], func(p payment) bool { return p.ID == id })
	if i < 0 {
		return payment{}, false
	}
	return l.payments[account][i], true
}

// list returns the account's payments, and how often anybody was charged: each charge is in there
// for everybody to count, since that is what this program is about.
func (l *ledger) list(account string) (charges int, payments []payment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.charges, append([]payment{}, l.payments[account]...)
}
