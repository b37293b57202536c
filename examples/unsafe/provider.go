package payments

import (
	"errors"
	"sync"
)

// A Provider stands for another company's API, which takes payments and is safe to retry itself: each
// call under one key is one charge.
type Provider struct {
	mu      sync.Mutex
	charges map[string]charge // by key
}

type charge struct{ number, amount int64 }

// NewProvider makes one that has charged nobody yet.
func NewProvider() *Provider { return &Provider{charges: map[string]charge{}} }

// errOther means that the key was used for another amount.
var errOther = errors.New("provider: the key was used for another charge")

// Charge takes an amount once per key, and returns the charge's number.
func (p *Provider) Charge(key string, amount int64) (number int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, isCharged := p.charges[key]
	if !isCharged {
		before = charge{int64(len(p.charges)) + 1, amount}
		p.charges[key] = before
	}
	if before.amount != amount {
		return 0, errOther
	}
	return before.number, nil
}

// Charges is how many charges there have been.
func (p *Provider) Charges() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.charges)
}
