// A program of somebody who imports the root module: it uses each package once.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	server, err := miniredis.Run()
	if err != nil {
		return err
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{
		Addr: server.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer client.Close()

	locker, err := lock.New(client, lock.Config{})
	if err != nil {
		return err
	}
	locked := false
	if err := locker.Do(ctx, "report", func(_ context.Context, l *lock.Lease) error {
		locked = l.Fence() > 0
		return nil
	}); err != nil {
		return err
	}

	store, err := cache.New[[]string](client, cache.Config{})
	if err != nil {
		return err
	}
	if err := store.Put(ctx, "words", []string{"again"}, time.Minute); err != nil {
		return err
	}
	words, found, err := store.Get(ctx, "words")
	if err != nil {
		return err
	}

	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		return err
	}
	jobs := 0
	for range 2 {
		if _, _, err := replay.Do(ctx, engine, replay.Request{Scope: "jobs", Key: "1"}, func(context.Context) (int, error) {
			jobs++
			return jobs, nil
		}); err != nil {
			return err
		}
	}

	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope, Dialect: dialect.Stripe{}, RequireKey: true})
	if err != nil {
		return err
	}
	payments := 0
	api := httptest.NewServer(adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payments++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "payment %d", payments)
	})))
	defer api.Close()
	payer := &http.Client{Transport: &httpclient.Transport{}}
	var answers []string
	for range 2 {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, api.URL, strings.NewReader(`{"amount":1999}`))
		if err != nil {
			return err
		}
		r.Header.Set("Idempotency-Key", "order-1")
		answer, err := payer.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
		answers = append(answers, fmt.Sprintf("%d %s %t", answer.StatusCode, body, httpclient.ReplyOf(answer).Replayed))
	}

	said := fmt.Sprintf("lock %t, cache %v %t, replay ran %d of 2, httpadapter answered %q", locked, words, found, jobs, answers)
	fmt.Println(said)
	if want := `lock true, cache [again] true, replay ran 1 of 2, httpadapter answered ["201 payment 1 false" "201 payment 1 true"]`; said != want {
		return fmt.Errorf("want %s", want)
	}
	return nil
}
