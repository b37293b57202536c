package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// engine is reprise without HTTP.
func engine(name string, client redis.UniversalClient, a *answer, pipeline lock.Pipeline) (contender, error) {
	e, err := replay.New(client, replay.Config{Prefix: name, Retention: retention, Lock: lock.Config{Pipeline: pipeline}})
	if err != nil {
		return contender{}, err
	}
	work := func(context.Context) (replay.Answer, error) { return replay.Answer{Value: a}, nil }
	do := func(ctx context.Context, key string) (replay.Result, error) {
		return e.Do(ctx, replay.Request{Key: key, Fingerprint: printed}, work)
	}
	first := func(ctx context.Context, key string) error {
		r, err := do(ctx, key)
		return check(err, r.Stored && !r.Replayed)
	}
	again := func(ctx context.Context, key string) error {
		r, err := do(ctx, key)
		if err != nil || !r.Replayed {
			return check(err, false)
		}
		var got answer
		err = r.Decode(&got)
		return check(err, got.equal(a))
	}
	conflict := func(ctx context.Context, key string) error {
		_, err := do(ctx, key)
		return check(nil, errors.Is(err, replay.ErrInProgress))
	}
	key := func(key string) string { return redisKey(name, key) }
	return contender{name: name, ready: each(first, again, conflict), hold: holder(client, key)}, nil
}

// adapter is reprise with HTTP, but for the network: requests and the writer of answers are in
// memory, and made beforehand. The request has as long a body as the answer.
func adapter(client redis.UniversalClient, body []byte) (contender, error) {
	e, err := replay.New(client, replay.Config{Prefix: "adapter", Retention: retention})
	if err != nil {
		return contender{}, err
	}
	a, err := httpadapter.New(e, httpadapter.Config{Scope: httpadapter.GlobalScope})
	if err != nil {
		return contender{}, err
	}
	handler := a.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	}))
	ready := func(ctx context.Context, op string, keys []string) func(int) error {
		requests, writers := make([]*http.Request, len(keys)), make([]*writer, len(keys))
		for i, key := range keys {
			requests[i] = request(ctx, key, body)
			writers[i] = &writer{header: http.Header{}, want: body}
		}
		return func(i int) error {
			w := writers[i]
			handler.ServeHTTP(w, requests[i])
			requests[i], writers[i] = nil, nil
			if op == "conflict" {
				return check(nil, w.status == http.StatusConflict && w.header.Get("Content-Type") == "application/problem+json")
			}
			replayed := w.header["Idempotency-Replayed"] != nil
			return check(nil, w.status == http.StatusCreated && w.same && replayed == (op == "replay"))
		}
	}
	return contender{name: "adapter", ready: ready, hold: adapterHolder(client, body)}, nil
}

// adapterHolder holds keys as an adapter does, by handlers that don't come back.
func adapterHolder(client redis.UniversalClient, body []byte) func(context.Context, []string) (func(), error) {
	return func(ctx context.Context, keys []string) (func(), error) {
		const long = 3600 * lease / 15
		e, err := replay.New(client, replay.Config{Prefix: "adapter", Retention: 24 * long, Lock: lock.Config{TTL: long, Renew: long / 3, MaxHold: long}})
		if err != nil {
			return nil, err
		}
		a, err := httpadapter.New(e, httpadapter.Config{Scope: httpadapter.GlobalScope})
		if err != nil {
			return nil, err
		}
		began, gate := make(chan struct{}), make(chan struct{})
		ended := make(chan struct{}, len(keys))
		handler := a.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			began <- struct{}{}
			<-gate
		}))
		end := func() {
			close(gate)
			for range keys {
				<-ended
			}
		}
		for i, key := range keys {
			go func() {
				handler.ServeHTTP(&writer{header: http.Header{}}, request(ctx, key, body))
				ended <- struct{}{}
			}()
			select {
			case <-began:
			case <-ended:
				keys = keys[:i]
				end()
				return nil, errNotSo
			}
		}
		return end, nil
	}
}

func request(ctx context.Context, key string, body []byte) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/payments", io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		panic(err) // the method and the URL are constants
	}
	r.ContentLength = int64(len(body))
	r.Header["Idempotency-Key"] = []string{key}
	r.Header["Content-Type"] = []string{"application/json"}
	return r
}

// writer is a ResponseWriter in memory that keeps no more of an answer than whether it is the right one.
type writer struct {
	header http.Header
	status int
	want   []byte
	same   bool
}

func (w *writer) Header() http.Header    { return w.header }
func (w *writer) WriteHeader(status int) { w.status = status }

func (w *writer) Write(b []byte) (int, error) {
	w.same = slices.Equal(b, w.want)
	return len(b), nil
}
