package main

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// An api has the handlers. They know nothing of retries but the attempt and its fence.
type api struct {
	ledger  *ledger
	adapter httpadapter.Config
}

// account returns the account that makes the request. A real API takes it from its authentication.
func account(r *http.Request) string { return cmp.Or(r.Header.Get("X-Account"), "demo") }

// create takes a payment. What it answers is stored and replayed, its 400 and its 422 too.
func (a *api) create(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Amount   int64
		Currency string
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &order) != nil {
		problem(w, http.StatusBadRequest, `The body must be JSON such as {"amount":1999,"currency":"GBP"}.`)
		return
	}
	if order.Amount < 1 {
		problem(w, http.StatusUnprocessableEntity, "The amount must be at least 1.")
		return
	}

	// Attempt 2 means that an earlier one failed or died, and may have charged. This one charges
	// again, for GET /payments to show it; reconcile, below, is the way not to.
	attempt, _ := replay.AttemptFrom(r.Context())
	paid, err := a.ledger.charge(a.operation(r), payment{
		Amount:   order.Amount,
		Currency: order.Currency,
		Attempt:  attempt.Number,
		Fence:    attempt.Fence,
	})
	if err != nil {
		problem(w, http.StatusConflict, "A later attempt at this payment has taken over.")
		return
	}
	created(w, paid)
}

// reconcile finds out whether an earlier attempt has charged, and if so answers in its place. It is
// asked where REPRISE_REPLAY_ON_ABANDONED says reconcile.
func (a *api) reconcile(w http.ResponseWriter, r *http.Request) replay.Decision {
	attempt, _ := replay.AttemptFrom(r.Context())
	paid, ok, err := a.ledger.charged(a.operation(r), attempt.Fence)
	switch {
	case err != nil:
		return replay.Undecided
	case !ok:
		return replay.NotDone
	}
	created(w, paid)
	return replay.Done
}

// operation is what the request is for. Its key is valid, or the adapter would not have let it in.
func (a *api) operation(r *http.Request) operation {
	op := operation{account: account(r)}
	for _, header := range a.adapter.Headers {
		if lines := r.Header.Values(header); len(lines) > 0 {
			op.key, _ = a.adapter.Syntax.Parse(lines)
		}
	}
	return op
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	paid, ok := a.ledger.find(account(r), r.PathValue("id"))
	if !ok {
		problem(w, http.StatusNotFound, "This account has no such payment.")
		return
	}
	answer(w, http.StatusOK, paid)
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	var list struct {
		Charges  int       `json:"charges"`
		Payments []payment `json:"payments"`
	}
	list.Charges, list.Payments = a.ledger.list(account(r))
	answer(w, http.StatusOK, list)
}

func created(w http.ResponseWriter, p payment) {
	w.Header().Set("Location", "/payments/"+p.ID)
	answer(w, http.StatusCreated, p)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	send(w, status, v)
}

// problem answers as RFC 9457 has it, like the adapter's own errors.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	send(w, status, struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
}

func send(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // not of the types above
	}
	w.WriteHeader(status)
	w.Write(body)
}
