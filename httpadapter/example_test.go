package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// pay stands for a handler of your own.
func pay(w http.ResponseWriter, r *http.Request) {
	attempt, _ := replay.AttemptFrom(r.Context()) // 2 or more: an earlier one may have charged
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "charged, by attempt %d", attempt.Number)
}

// newEngine makes an engine. It contacts Redis with the first request that has a key.
func newEngine(cfg replay.Config) *replay.Engine {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	engine, err := replay.New(client, cfg)
	if err != nil {
		log.Fatal(err)
	}
	return engine
}

// An API with one route that is safe to retry.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{
		Scope:      httpadapter.ScopeHeader("X-Account"), // set by a proxy that authenticates
		RequireKey: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /payments", adapter.Handler(http.HandlerFunc(pay)))
	server := &http.Server{Addr: ":8080", Handler: mux}
	server.RegisterOnShutdown(engine.StopWaiting)
	log.Fatal(server.ListenAndServe())
}

// The scope is whoever has been authenticated. A request of nobody is refused before Redis is
// asked.
func ExampleScopeFunc() {
	type account struct{} // the key under which your authentication puts the account's name
	scope := httpadapter.ScopeFunc(func(r *http.Request) (string, error) {
		name, ok := r.Context().Value(account{}).(string)
		if !ok {
			return "", errors.New("not authenticated")
		}
		return name, nil
	})
	fmt.Println(scope(httptest.NewRequest("POST", "/payments", nil)))
	ctx := context.WithValue(context.Background(), account{}, "acme")
	fmt.Println(scope(httptest.NewRequestWithContext(ctx, "POST", "/payments", nil)))
	// Output:
	//  not authenticated
	// acme <nil>
}

// Refunds need a key, and after an attempt that died nobody runs them again.
func ExampleAdapter_Route() {
	adapter, err := httpadapter.New(newEngine(replay.Config{}), httpadapter.Config{Scope: httpadapter.GlobalScope})
	if err != nil {
		log.Fatal(err)
	}
	refunds, err := adapter.Route(func(c *httpadapter.Config) {
		c.RequireKey = true
		c.OnAbandoned = replay.RefuseUnknown
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /payments", adapter.Handler(http.HandlerFunc(pay)))
	mux.Handle("POST /refunds", refunds.Handler(http.HandlerFunc(pay)))

	for _, path := range []string{"/payments", "/refunds"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader("10 GBP"))) // without a key
		fmt.Println(path, w.Code)
	}
	// Output:
	// /payments 201
	// /refunds 400
}

// After an attempt that failed or died, Reconcile looks for what it did. What it writes with
// replay.Done is the answer, to this request and to later ones.
func ExampleConfig_reconcile() {
	charges := map[string]string{} // stands for your ledger, by Idempotency-Key
	adapter, err := httpadapter.New(newEngine(replay.Config{OnAbandoned: replay.AskReconcile}), httpadapter.Config{
		Scope: httpadapter.GlobalScope,
		Reconcile: func(w http.ResponseWriter, r *http.Request) replay.Decision {
			charge, ok := charges[r.Header.Get("Idempotency-Key")]
			if !ok {
				return replay.NotDone // The handler runs.
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, charge)
			return replay.Done
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /payments", adapter.Handler(http.HandlerFunc(pay)))
}

// Keys belong to an account, and an answer to the user who asked for it: nobody else of the account
// may even learn that the key was used.
func ExampleConfig_authorize() {
	adapter, err := httpadapter.New(newEngine(replay.Config{}), httpadapter.Config{
		Scope: httpadapter.ScopeHeader("X-Account"),
		Authorize: func(r *http.Request) httpadapter.Authorization {
			if r.Header.Get("X-User") != r.PathValue("user") {
				return httpadapter.Hide
			}
			return httpadapter.Allow
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /users/{user}/payments", adapter.Handler(http.HandlerFunc(pay)))
}

// Settings come from the environment, all faults at once. What is a function is set in code.
func ExampleFromEnv() {
	cfg, err := httpadapter.FromEnv("REPRISE_", []string{ // as of os.Environ()
		"REPRISE_HTTP_REQUIRE_KEY=true",
		"REPRISE_HTTP_DIALECT=stripe",
	})
	if err != nil {
		log.Fatal(err)
	}
	cfg.Scope = httpadapter.GlobalScope
	fmt.Println(cfg.RequireKey, cfg.DialectName)

	_, err = httpadapter.FromEnv("REPRISE_", []string{"REPRISE_HTTP_REQUIRE_KEY=perhaps", "REPRISE_HTTP_METHODS=GET"})
	fmt.Println(strings.Count(err.Error(), "REPRISE_"), "faults")
	// Output:
	// true stripe
	// 2 faults
}
