// Package routertest tests the same promises with the program of each router, over a real server.
package routertest

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/reprise-go/reprise/examples/internal/shop"
)

const order = `{"amount":1999}`

// Walk sends requests to the shop's routes, as one router has them.
func Walk(t *testing.T, routes func(*shop.Shop) http.Handler) {
	for _, tt := range []struct {
		promise string
		test    func(*site)
	}{
		{"a retry gets the first answer, byte for byte", retry},
		{"a key belongs to the account that was authenticated", accounts},
		{"a request without authentication does not use up its key", unauthenticated},
		{"a duplicate in flight gets 409, another body 422", duplicates},
		{"the work goes on when the client hangs up", hangUp},
		{"after a panic, which Recovery answers, the next is attempt 2", panics},
		{"each route has its own policy", policies},
		{"other requests pass", others},
	} {
		t.Run(tt.promise, func(t *testing.T) { tt.test(serve(t, routes)) })
	}
}

func (s *site) payment(r reply) (p shop.Payment) {
	s.Helper()
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		s.Errorf("%d %q is no payment: %v", r.status, r.body, err)
	}
	return p
}

// paid fails the test unless ann has paid bob n times.
func (s *site) paid(n int) {
	s.Helper()
	if list := s.shop.List("ann", "bob"); len(list) != n {
		s.Errorf("paid %d times, want %d: %v", len(list), n, list)
	}
}

func retry(s *site) {
	first := s.post("/payments/bob", "k", order)
	s.want(first, http.StatusCreated, false)
	p := s.payment(first)
	if p.From != "ann" || p.To != "bob" || p.Amount != 1999 || p.Attempt != 1 {
		s.Errorf("got %+v, want that ann pays bob 1999 in attempt 1", p)
	}
	if location := first.header.Get("Location"); location != "/payments/bob#"+p.ID {
		s.Errorf("Location: %q", location)
	}
	again := s.post("/payments/bob", "k", order)
	s.want(again, http.StatusCreated, true)
	if !again.same(first) || again.header.Get("Content-Length") != first.header.Get("Content-Length") {
		s.Errorf("replayed %+v, want %+v", again, first)
	}
	s.want(s.post("/payments/bob", "k", `{"amount":2999}`), http.StatusUnprocessableEntity, false)
	s.want(s.post("/payments/eve", "k", order), http.StatusUnprocessableEntity, false)
	s.paid(1)

	// What the framework's own helper answers is an answer.
	refused := s.post("/payments/bob", "k2", `{"amount":0}`)
	s.want(refused, http.StatusUnprocessableEntity, false)
	again = s.post("/payments/bob", "k2", `{"amount":0}`)
	s.want(again, http.StatusUnprocessableEntity, true)
	if !again.same(refused) {
		s.Errorf("replayed %+v, want %+v", again, refused)
	}
	s.want(s.post("/payments/bob", "k3", "{"), http.StatusBadRequest, false)
	s.want(s.post("/payments/bob", "k3", "{"), http.StatusBadRequest, true)
}

func accounts(s *site) {
	s.want(s.post("/payments/bob", "k", order), http.StatusCreated, false)
	cy := s.post("/payments/bob", "k", order, "Authorization", "Bearer cy")
	s.want(cy, http.StatusCreated, false)
	if p := s.payment(cy); p.From != "cy" {
		s.Errorf("got %+v, want cy's payment", p)
	}
	s.want(s.post("/payments/bob", "k", order, "Authorization", "Bearer cy"), http.StatusCreated, true)
	s.paid(1)
}

func unauthenticated(s *site) {
	s.want(s.post("/payments/bob", "k", order, "Authorization", ""), http.StatusUnauthorized, false)
	s.want(s.post("/payments/bob", "k", order), http.StatusCreated, false)
	s.want(s.post("/payments/bob", "k", order, "Authorization", ""), http.StatusUnauthorized, false)
	s.paid(1)
}

func duplicates(s *site) {
	begun, end := make(chan bool), make(chan bool)
	s.shop.Charge = func(context.Context) {
		begun <- true
		<-end
	}
	first := make(chan reply, 1)
	go func() { first <- s.post("/payments/bob", "k", order) }()
	select {
	case <-begun:
	case got := <-first:
		s.Fatalf("answered before it was charged: %+v", got)
	}
	busy := s.post("/payments/bob", "k", order)
	s.want(busy, http.StatusConflict, false)
	if busy.header.Get("Retry-After") == "" {
		s.Error("409 without Retry-After")
	}
	s.want(s.post("/payments/bob", "k", `{"amount":2999}`), http.StatusUnprocessableEntity, false)
	close(end)
	got := <-first
	s.want(got, http.StatusCreated, false)
	if again := s.post("/payments/bob", "k", order); !again.replayed() || !again.same(got) {
		s.Errorf("replayed %+v, want %+v", again, got)
	}
	s.paid(1)
}

func hangUp(s *site) {
	ctx, hangUp := context.WithCancel(s.Context())
	seen := make(chan error, 1)
	s.shop.Charge = func(ctx context.Context) {
		hangUp()
		<-s.last.Load().Context().Done() // the server has noticed
		seen <- ctx.Err()
	}
	r := s.request(http.MethodPost, "/payments/bob", "k", order).WithContext(ctx)
	if got := s.send(r); got.err == nil {
		s.Fatalf("answered %+v to a client that hung up", got)
	}
	if err := <-seen; err != nil {
		s.Errorf("the work's context has ended with the client: %v", err)
	}
	retry := s.post("/payments/bob", "k", order)
	for retry.status == http.StatusConflict { // it has not answered yet
		retry = s.post("/payments/bob", "k", order)
	}
	s.want(retry, http.StatusCreated, true)
	s.paid(1)
}

func panics(s *site) {
	s.shop.Charge = func(context.Context) { panic("the bank is closed") }
	s.want(s.post("/payments/bob", "k", order), http.StatusInternalServerError, false)
	s.paid(0)
	s.shop.Charge = nil
	second := s.post("/payments/bob", "k", order)
	s.want(second, http.StatusCreated, false)
	if p := s.payment(second); p.Attempt != 2 {
		s.Errorf("got %+v, want attempt 2", p)
	}
	s.want(s.post("/payments/bob", "k", order), http.StatusCreated, true)
	s.paid(1)
}

func policies(s *site) {
	s.want(s.post("/payments/bob/refunds", "r", order), http.StatusUnprocessableEntity, false)
	s.want(s.post("/payments/bob", "p", order), http.StatusCreated, false)
	refund := s.post("/payments/bob/refunds", "r", order) // was refused, and may be asked for again
	s.want(refund, http.StatusCreated, false)
	if p := s.payment(refund); p.Amount != -1999 || p.Attempt != 1 {
		s.Errorf("got %+v, want -1999 by attempt 1", p)
	}
	s.want(s.post("/payments/bob/refunds", "r", order), http.StatusCreated, true)
	s.paid(2)
}

func others(s *site) {
	s.want(s.post("/payments/bob", "", order), http.StatusBadRequest, false) // no key
	s.want(s.post("/payments/bob", "k", order), http.StatusCreated, false)
	for _, want := range []int{1, 2} {
		list := s.do(http.MethodGet, "/payments/bob", "k", "")
		s.want(list, http.StatusOK, false)
		var payments []shop.Payment
		if err := json.Unmarshal([]byte(list.body), &payments); err != nil || len(payments) != want {
			s.Errorf("got %q (%v), want %d payments", list.body, err, want)
		}
		s.want(s.post("/payments/bob", "k2", order), http.StatusCreated, want == 2)
	}
	for range 2 {
		s.want(s.post("/nowhere", "k3", order), http.StatusNotFound, false)
	}
	if keys := s.redis.DBSize(s.Context()).Val(); keys != 2 {
		s.Errorf("%d keys in Redis, want those of the two payments", keys)
	}
}
