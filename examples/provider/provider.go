package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// A provider stands for another company's API, which heeds Idempotency-Key in its own way: here, by a
// map of what it has charged.
type provider struct {
	mu      sync.Mutex
	charges map[string]charge // by key
}

// A charge is what the provider answers.
type charge struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
}

func newProvider() *provider { return &provider{charges: map[string]charge{}} }

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var order charge
	key := r.Header.Get("Idempotency-Key")
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil || key == "" {
		http.Error(w, "want a key, and an amount in JSON", http.StatusBadRequest)
		return
	}
	made, known := p.charges[key]
	switch {
	case !known:
		made = charge{ID: fmt.Sprint("ch_", len(p.charges)+1), Amount: order.Amount}
		p.charges[key] = made
	case made.Amount != order.Amount:
		http.Error(w, "the key is another charge's", http.StatusUnprocessableEntity)
		return
	default:
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(made)
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.charges)
}
