package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// redisKey is the Redis key of a request without a scope.
func redisKey(key string) string {
	b := binary.BigEndian.AppendUint64(nil, 0)
	b = append(append(b, 0), key...)
	sum := sha256.Sum256(b)
	return "reprise:" + hex.EncodeToString(sum[:])
}

// overhead measures what the adapter adds to the engine for a first request, 1 KiB in and 1 KiB out.
// A Redis that answers at once, in the process, stands in for the real one, whose round trips would
// drown a few microseconds.
func overhead(ctx context.Context, rounds int) error {
	engine, err := replay.New(instant(), replay.Config{})
	if err != nil {
		return err
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope})
	if err != nil {
		return err
	}
	body := bytes.Repeat([]byte(`{"a":1},`), 128)
	handler := adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
	}))
	response := &answer{Status: http.StatusCreated, Body: body}

	serial := 0
	contenders := []func(int) error{
		func(int) error {
			serial++
			r := request(ctx, strconv.Itoa(serial), body)
			w := &discard{header: http.Header{}}
			handler.ServeHTTP(w, r)
			return check(nil, w.status == http.StatusCreated)
		},
		func(int) error {
			serial++
			// The request and the writer are not the adapter's, but are made here too.
			r := request(ctx, strconv.Itoa(serial), body)
			w := &discard{header: http.Header{}}
			w.header.Set("Content-Type", "application/json")
			_, err := engine.Do(r.Context(), replay.Request{Key: r.Header.Get("Idempotency-Key"), Fingerprint: "1:fingerprint"},
				func(context.Context) (replay.Answer, error) { return replay.Answer{Value: response}, nil })
			return err
		},
	}
	var figures [2][]figure
	for round := range rounds + 1 {
		for i := range contenders {
			i = (i + round) % len(contenders)
			f, err := turn(16*perRound, 1, contenders[i])
			if err != nil {
				return err
			}
			if round > 0 {
				figures[i] = append(figures[i], f)
			}
		}
	}
	with, without := median(figures[0]), median(figures[1])
	fmt.Printf("\nThe adapter adds %.1f µs and %.0f allocations to the engine (1 KiB in, 1 KiB out; %.1f µs in all, Redis left out).\n",
		float64(with.time-without.time)/float64(time.Microsecond), with.malloc-without.malloc, float64(with.time)/float64(time.Microsecond))
	return nil
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

// discard is a ResponseWriter that costs nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// instant is a client whose every command is answered on the spot: begin with a grant, commit with
// "stored".
func instant() *redis.Client {
	c := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	c.AddHook(instantly{})
	return c
}

type instantly struct{}

func (instantly) DialHook(next redis.DialHook) redis.DialHook { return next }

func (instantly) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (instantly) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		script, args := cmd.(*redis.Cmd), cmd.Args()
		if len(args) == 10 { // begin has six arguments after its key, commit four
			script.SetVal("L1 1 1700000000000000 86400000 1:fingerprint " + args[4].(string))
		} else {
			script.SetVal(int64(1))
		}
		return nil
	}
}
