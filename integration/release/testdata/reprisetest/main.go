// A program of somebody who imports reprisetest. It is no test, so that it can be run like the others,
// but runs one.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
	"github.com/reprise-go/reprise/reprisetest"
)

func main() {
	all := func(_, _ string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "TestPayments", F: testPayments}}, nil, nil)
}

// testPayments pays into a map, which stands for a database that all processes share.
func testPayments(t *testing.T) {
	var (
		mu   sync.Mutex
		paid = map[string]string{} // the order, by key
	)
	pay := func(w http.ResponseWriter, r *http.Request) {
		order, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		key := r.Header.Get("Idempotency-Key")
		if before, ok := paid[key]; ok && before != string(order) {
			http.Error(w, "the key is another order's", http.StatusConflict)
			return
		}
		paid[key] = string(order)
		w.WriteHeader(http.StatusCreated)
	}
	reprisetest.RetrySafe(t, reprisetest.Subject{
		Handler: func(t *testing.T, engine *replay.Engine) http.Handler {
			adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope})
			if err != nil {
				t.Fatal(err)
			}
			return adapter.Handler(http.HandlerFunc(pay))
		},
		Request: func(key string) *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader(`{"amount":1999}`))
			r.Header.Set("Idempotency-Key", key)
			return r
		},
		Effects: func(*testing.T) map[string]int {
			mu.Lock()
			defer mu.Unlock()
			return map[string]int{"payments": len(paid)}
		},
	})
	if !t.Failed() {
		fmt.Println("reprisetest found nothing amiss")
	}
}
