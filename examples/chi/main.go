// Command chi is the payments API on chi, safe to retry:
//
//	go run ./examples/chi [-addr HOST:PORT]
//	curl -iw '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann' -H 'Idempotency-Key: order-1' --json '{"amount":1999}'
//	curl -w '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann'
//
// Run the first curl twice: the second answer is a replay. The second curl lists what was paid.
// chi's middleware is net/http's, and so is the adapter: Adapter.Handler goes into With as it is.
package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/reprise-go/reprise/examples/internal/shop"
)

func main() { shop.Main(func(s *shop.Shop) http.Handler { return routes(s) }) }

func routes(s *shop.Shop) chi.Router {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, shop.RequireAccount) // outside: panics and 401s are not stored

	// With is for the route that follows. Use would run the adapter before chi has routed, on every
	// route.
	r.With(s.Payments.Handler).Post("/payments/{account}", func(w http.ResponseWriter, r *http.Request) {
		s.ServePay(w, r, chi.URLParam(r, "account"))
	})
	r.With(s.Refunds.Handler).Post("/payments/{account}/refunds", func(w http.ResponseWriter, r *http.Request) {
		s.ServeRefund(w, r, chi.URLParam(r, "account"))
	})
	r.Get("/payments/{account}", func(w http.ResponseWriter, r *http.Request) {
		s.ServeList(w, r, chi.URLParam(r, "account"))
	})
	return r
}
