package shop

import (
	"context"
	"encoding/json"
	"net/http"
)

// These are handlers for routers that take an http.Handler. Programs for other routers have their
// own.

// RequireAccount answers 401 to a request without authentication. It belongs outside the adapter: a
// 401 must not use up a key.
func RequireAccount(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, err := Authenticate(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, WithAccount(r, account))
	})
}

// ServePay answers POST /payments/{to}.
func (s *Shop) ServePay(w http.ResponseWriter, r *http.Request, to string) { serve(w, r, to, s.Pay) }

// ServeRefund answers POST /payments/{to}/refunds.
func (s *Shop) ServeRefund(w http.ResponseWriter, r *http.Request, to string) {
	serve(w, r, to, s.Refund)
}

// ServeList answers GET /payments/{to}.
func (s *Shop) ServeList(w http.ResponseWriter, r *http.Request, to string) {
	answer(w, http.StatusOK, s.List(Account(r), to))
}

func serve(w http.ResponseWriter, r *http.Request, to string, do func(context.Context, Order) (Payment, error)) {
	var order Order
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	order.From, order.To = Account(r), to
	p, err := do(r.Context(), order)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Location", "/payments/"+to+"#"+p.ID)
	answer(w, http.StatusCreated, p)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
