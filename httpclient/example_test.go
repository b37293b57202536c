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

func ExampleTransport() {
	payments := newPayments()
	defer payments.Close()
	payments.loseAnswers(1) // the first payment is made, and its answer lost

	client := &http.Client{Transport: &httpclient.Transport{}}
	resp, err := client.Post(payments.URL, "application/json", strings.NewReader(`{"amount":1999}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	reply := httpclient.ReplyOf(resp)
	fmt.Println(resp.Status, "replayed:", reply.Replayed, "tries:", reply.Tries, "made:", payments.made)
	// Output: 201 Created replayed: true tries: 2 made: 1
}

// A key in the caller's own database, beside the operation it is for, gets over a restart of the caller: the row is
// written before the call, and cleared by its outcome.
func ExampleNewKey() {
	payments := newPayments()
	defer payments.Close()
	type row struct{ key, body string }
	table := map[string]row{"order-1": {httpclient.NewKey(), `{"amount":1999}`}}

	// pay is what the program does for each row that it finds, at its start too.
	pay := func(client *http.Client, id string) {
		ctx := httpclient.WithKey(context.Background(), table[id].key)
		r, _ := http.NewRequestWithContext(ctx, "POST", payments.URL, strings.NewReader(table[id].body))
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

	payments.loseAnswers(3)
	pay(&http.Client{Transport: &httpclient.Transport{MaxTries: 3}}, "order-1")
	// The program is restarted here.
	pay(&http.Client{Transport: &httpclient.Transport{}}, "order-1")
	fmt.Println("made:", payments.made, "rows:", len(table))
	// Output:
	// outcome unknown: the row stays
	// 201 Created replayed: true
	// made: 1 rows: 0
}

// payments is an API that keeps one answer for each key, as one behind an Adapter does.
type payments struct {
	*httptest.Server
	mu   sync.Mutex
	done map[string]bool
	made int
	lose int
}

func newPayments() *payments {
	p := &payments{done: map[string]bool{}}
	p.Server = httptest.NewServer(p)
	return p
}

func (p *payments) loseAnswers(n int) { p.lose = n }

func (p *payments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if p.done[key] {
		w.Header().Set("Idempotency-Replayed", "true")
	} else {
		p.done[key] = true
		p.made++
	}
	if p.lose > 0 {
		p.lose--
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"paid":true}`)
}
