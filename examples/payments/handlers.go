package main

import (
	"cmp"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"github.com/reprise-go/reprise/replay"
)

// An api has the handlers. They know nothing of retries: that a payment is made once is the
// ledger's business.
type api struct {
	ledger *ledger
	log    *slog.Logger
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

	// Attempt 2 means that an earlier one failed or died, and may have charged. If it has, this is
	// its payment, with its number.
	attempt, _ := replay.AttemptFrom(r.Context())
	paid, err := a.ledger.charge(r.Context(), account(r), payment{
		Amount:   order.Amount,
		Currency: order.Currency,
		Attempt:  attempt.Number,
		Fence:    attempt.Fence,
	})
	if err != nil {
		a.unavailable(w, err)
		return
	}
	w.Header().Set("Location", "/payments/"+paid.ID)
	answer(w, http.StatusCreated, paid)
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	paid, found, err := a.ledger.find(r.Context(), account(r), r.PathValue("id"))
	switch {
	case err != nil:
		a.unavailable(w, err)
		return
	case !found:
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
	var err error
	if list.Charges, list.Payments, err = a.ledger.list(r.Context(), account(r)); err != nil {
		a.unavailable(w, err)
		return
	}
	answer(w, http.StatusOK, list)
}

// unavailable answers for a database that did not, or that was not asked any more. After a POST the
// payment may have been booked or not: a retry under the same key finds out.
func (a *api) unavailable(w http.ResponseWriter, err error) {
	a.log.Warn("no answer from the ledger", "err", err)
	problem(w, http.StatusServiceUnavailable, "The ledger did not answer. Send the same request again.")
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
