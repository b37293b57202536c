package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/reprise-go/reprise/httpclient"
)

// The first try makes the payment, and its answer is lost. The second one gets the answer, and no
// other payment is made.
func ExampleTransport() {
	server := newPaymentsServer()
	defer server.Close()
	server.loseAnswers(1)

	client := &http.Client{Transport: &httpclient.Transport{}}
	resp, err := client.Post(server.URL, "application/json", strings.NewReader(`{"amount":1999}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, "payments:", server.payments)
	// Output: 201 Created payments: 1
}

func ExampleReplyOf() {
	server := newPaymentsServer()
	defer server.Close()
	server.loseAnswers(1)

	client := &http.Client{Transport: &httpclient.Transport{}}
	resp, err := client.Post(server.URL, "application/json", strings.NewReader(`{"amount":1999}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	reply := httpclient.ReplyOf(resp)
	fmt.Println("tries:", reply.Tries, "replayed:", reply.Replayed, "error about the key:", reply.Err)
	// Output: tries: 2 replayed: true error about the key: <nil>
}

// The same key is the same operation, so the second call gets the first one's answer.
func ExampleWithKey() {
	server := newPaymentsServer()
	defer server.Close()
	client := &http.Client{Transport: &httpclient.Transport{}}

	ctx := httpclient.WithKey(context.Background(), "order-4711")
	for range 2 {
		body := strings.NewReader(`{"amount":1999}`)
		r, err := http.NewRequestWithContext(ctx, "POST", server.URL, body)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := client.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.Status, "replayed:", httpclient.ReplyOf(resp).Replayed)
	}
	fmt.Println("payments:", server.payments)
	// Output:
	// 201 Created replayed: false
	// 201 Created replayed: true
	// payments: 1
}

// When the tries end without an answer, the payment may have been made. The error has the key with
// which a later call finds out.
func ExampleCallError() {
	server := newPaymentsServer()
	defer server.Close()
	server.loseAnswers(2)

	client := &http.Client{Transport: &httpclient.Transport{MaxTries: 2}}
	_, err := client.Post(server.URL, "application/json", strings.NewReader(`{"amount":1999}`))
	failed, ok := errors.AsType[*httpclient.CallError](err)
	if !ok {
		fmt.Println(err)
		return
	}
	fmt.Println("outcome unknown:", errors.Is(err, httpclient.ErrOutcomeUnknown))
	fmt.Println("tries:", failed.Tries)

	ctx := httpclient.WithKey(context.Background(), failed.Key)
	body := strings.NewReader(`{"amount":1999}`) // the same bytes as before
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, "payments:", server.payments)
	// Output:
	// outcome unknown: true
	// tries: 2
	// 201 Created payments: 1
}

// A program whose calls must survive its own restart stores the key in its database, in the row of
// the operation, before it calls. The row is deleted once the outcome is known.
func ExampleNewKey() {
	server := newPaymentsServer()
	defer server.Close()
	type row struct{ key, body string }
	table := map[string]row{"order-1": {httpclient.NewKey(), `{"amount":1999}`}}

	// The program calls pay for a new row, and at its start for each row that it finds.
	pay := func(client *http.Client, id string) {
		ctx := httpclient.WithKey(context.Background(), table[id].key)
		body := strings.NewReader(table[id].body)
		r, err := http.NewRequestWithContext(ctx, "POST", server.URL, body)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := client.Do(r)
		if errors.Is(err, httpclient.ErrOutcomeUnknown) {
			fmt.Println("outcome unknown: the row stays")
			return
		} else if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		fmt.Println(resp.Status, "replayed:", httpclient.ReplyOf(resp).Replayed)
		delete(table, id)
	}

	server.loseAnswers(3)
	pay(&http.Client{Transport: &httpclient.Transport{MaxTries: 3}}, "order-1")
	// Here the program is restarted.
	pay(&http.Client{Transport: &httpclient.Transport{}}, "order-1")
	fmt.Println("payments:", server.payments, "rows:", len(table))
	// Output:
	// outcome unknown: the row stays
	// 201 Created replayed: true
	// payments: 1 rows: 0
}

// A paymentsServer stores one answer for each key, as a server behind httpadapter does.
type paymentsServer struct {
	*httptest.Server
	mu       sync.Mutex
	done     map[string]bool // by key
	payments int
	lose     int
}

func newPaymentsServer() *paymentsServer {
	s := &paymentsServer{done: map[string]bool{}}
	s.Server = httptest.NewServer(s)
	return s
}

// loseAnswers breaks the connection of the next n requests, after their payments are made.
func (s *paymentsServer) loseAnswers(n int) { s.lose = n }

func (s *paymentsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if s.done[key] {
		w.Header().Set("Idempotency-Replayed", "true")
	} else {
		s.done[key] = true
		s.payments++
	}
	if s.lose > 0 {
		s.lose--
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"paid":true}`)
}
