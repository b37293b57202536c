// Command gorilla is the payments API on gorilla/mux, safe to retry:
//
//	go run ./examples/gorilla [-addr HOST:PORT]
//	curl -iw '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann' -H 'Idempotency-Key: order-1' --json '{"amount":1999}'
//	curl -w '\n' http://127.0.0.1:8080/payments/bob -H 'Authorization: Bearer ann'
//
// Run the first curl twice: the second answer is a replay. The second curl lists what was paid. A
// route takes an http.Handler, so the adapter goes around that one handler.
package main

import (
	"log"
	"net/http"
	"runtime/debug"

	"github.com/gorilla/mux"

	"github.com/reprise-go/reprise/examples/internal/shop"
)

func main() { shop.Main(func(s *shop.Shop) http.Handler { return routes(s) }) }

func routes(s *shop.Shop) *mux.Router {
	r := mux.NewRouter()
	r.Use(recovered, shop.RequireAccount) // outside: panics and 401s are not stored

	pay := func(w http.ResponseWriter, r *http.Request) { s.ServePay(w, r, mux.Vars(r)["account"]) }
	refund := func(w http.ResponseWriter, r *http.Request) { s.ServeRefund(w, r, mux.Vars(r)["account"]) }
	list := func(w http.ResponseWriter, r *http.Request) { s.ServeList(w, r, mux.Vars(r)["account"]) }
	r.Handle("/payments/{account}", s.Payments.Handler(http.HandlerFunc(pay))).Methods(http.MethodPost)
	r.Handle("/payments/{account}/refunds", s.Refunds.Handler(http.HandlerFunc(refund))).Methods(http.MethodPost)
	r.HandleFunc("/payments/{account}", list).Methods(http.MethodGet)
	return r
}

// recovered answers 500 where a handler panics. RecoveryHandler of gorilla/handlers does so too,
// but keeps http.ErrAbortHandler to itself, by which the adapter breaks off an answer: a client
// would take half of it for whole.
func recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				log.Printf("panic: %v\n%s", v, debug.Stack())
				http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
