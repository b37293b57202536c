package httpadapter

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/replay"
)

// instant makes an engine over a Redis that answers at once, in the process: begin with a grant,
// commit with "stored". Each of asked sees the commands first.
func instant(t testing.TB, cfg replay.Config, asked ...func(redis.Cmder)) *replay.Engine {
	t.Helper()
	client := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	client.AddHook(instantly{asked})
	t.Cleanup(func() { client.Close() })
	engine, err := replay.New(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

type instantly struct{ asked []func(redis.Cmder) }

func (instantly) DialHook(next redis.DialHook) redis.DialHook { return next }

func (instantly) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (i instantly) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		for _, f := range i.asked {
			f(cmd)
		}
		script, args := cmd.(*redis.Cmd), cmd.Args()
		if len(args) == 10 { // begin has six arguments after its key, commit four
			script.SetVal("L1 1 1700000000000000 86400000 1:fingerprint " + args[4].(string))
		} else {
			script.SetVal(int64(1))
		}
		return nil
	}
}

// dropped is a ResponseWriter that costs nothing.
type dropped struct {
	header http.Header
	status int
}

func (d *dropped) Header() http.Header         { return d.header }
func (d *dropped) WriteHeader(status int)      { d.status = status }
func (d *dropped) Write(b []byte) (int, error) { return len(b), nil }

func posted(serial int, body io.Reader, length int64) *http.Request {
	r, err := http.NewRequest(http.MethodPost, "/payments", io.NopCloser(body))
	if err != nil {
		panic(err) // the method and the URL are constants
	}
	r.ContentLength = length
	r.Header["Idempotency-Key"] = []string{strconv.Itoa(serial)}
	r.Header["Content-Type"] = []string{"application/json"}
	return r
}

var raceDetector bool // set by race_test.go

// What an ordinary exchange, 1 KiB in and 1 KiB out, costs beyond what the engine does.
func TestAllocationsOfAnExchange(t *testing.T) {
	engine := instant(t, replay.Config{})
	adapter, err := New(engine, Config{Scope: GlobalScope})
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(strings.Repeat(`{"a":1},`, 128))
	handler := adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
	}))
	serial := 0
	with := fewestAllocs(func() {
		serial++
		w := &dropped{header: http.Header{}}
		handler.ServeHTTP(w, posted(serial, bytes.NewReader(body), int64(len(body))))
		if w.status != http.StatusCreated {
			t.Fatalf("status %d", w.status)
		}
	})
	answer := &record{Status: http.StatusCreated, Body: body}
	without := fewestAllocs(func() {
		serial++
		r := posted(serial, bytes.NewReader(body), int64(len(body)))
		w := &dropped{header: http.Header{}}
		w.header.Set("Content-Type", "application/json")
		_, err := engine.Do(r.Context(), replay.Request{Key: r.Header.Get("Idempotency-Key"), Fingerprint: "1:fingerprint"},
			func(context.Context) (replay.Answer, error) { return replay.Answer{Value: answer}, nil })
		if err != nil {
			t.Fatal(err)
		}
	})
	most := 18.0
	if raceDetector { // which makes pools forget
		most += 4
	}
	t.Log(with, without)
	if added := with - without; added > most {
		t.Errorf("the adapter adds %v allocations, want %v at most", added, most)
	}
}

// fewestAllocs returns the fewest allocations of f, on average, in several series. More come of the
// collector, which empties pools, and of goroutines that an earlier test has left.
func fewestAllocs(f func()) float64 {
	fewest := testing.AllocsPerRun(200, f)
	for range 9 {
		fewest = min(fewest, testing.AllocsPerRun(200, f))
	}
	return fewest
}

// allocated returns how many bytes f allocates, and how often, in whichever goroutine.
func allocated(f func()) (bytes, times uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// leastAllocated is allocated for an f that can be repeated: what goroutines of earlier tests
// allocate meanwhile is not f's.
func leastAllocated(f func()) (bytes, times uint64) {
	bytes, times = allocated(f)
	for range 4 {
		b, n := allocated(f)
		bytes, times = min(bytes, b), min(times, n)
	}
	return bytes, times
}

// Clients that announce as much as they may and send nothing cost the server next to nothing, over
// either protocol.
func TestAnnouncedBodiesCostNothing(t *testing.T) {
	const clients, announced = 100, 256 << 20
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			adapter, err := New(instant(t, replay.Config{}), Config{Scope: GlobalScope, MaxBody: announced})
			if err != nil {
				t.Fatal(err)
			}
			reading := make(chan struct{})
			handler := adapter.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("ran") }))
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Body = &signalling{ReadCloser: r.Body, reading: reading}
				handler.ServeHTTP(w, r)
			}))
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(!http2)
			server.Config.Protocols.SetUnencryptedHTTP2(http2)
			server.Start()
			defer server.Close()
			dial := func(text string) net.Conn {
				c, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
				return c
			}
			n, _ := allocated(func() {
				if http2 { // a stream each
					frames := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "") // SETTINGS
					for i := range clients {
						frames += frame(1, 4, 2*i+1, fields(":method", "POST", ":scheme", "http", ":path", "/", ":authority", "api.test",
							"idempotency-key", strconv.Itoa(i), "content-length", strconv.Itoa(announced))) // HEADERS, with their end
					}
					c := dial(frames)
					defer c.Close()
					go io.Copy(io.Discard, c)
				} else {
					for i := range clients {
						defer dial(fmt.Sprintf("POST / HTTP/1.1\r\nHost: api.test\r\nIdempotency-Key: %d\r\nContent-Length: %d\r\n\r\n", i, announced)).Close()
					}
				}
				for range clients {
					<-reading
				}
			})
			// Server and connections are in this, with their own buffers.
			if most := uint64(clients * 128 << 10); n > most {
				t.Errorf("%d clients: %d bytes allocated, want %d at most", clients, n, most)
			}
		})
	}
}

// frame is a frame of HTTP/2 (RFC 9113 §4.1).
func frame(kind, flags byte, stream int, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = binary.BigEndian.AppendUint32(append(b, flags), uint32(stream))
	return string(b) + payload
}

// fields is a list of short names and values in HPACK, literal and not indexed (RFC 7541 §6.2.2).
func fields(pairs ...string) string {
	var b strings.Builder
	for i, s := range pairs {
		if i%2 == 0 {
			b.WriteByte(0)
		}
		b.WriteByte(byte(len(s)))
		b.WriteString(s)
	}
	return b.String()
}

// signalling says when its first Read is under way: the memory for it is there by then.
type signalling struct {
	io.ReadCloser
	reading chan struct{}
	once    sync.Once
}

func (s *signalling) Read(p []byte) (int, error) {
	s.once.Do(func() { s.reading <- struct{}{} })
	return s.ReadCloser.Read(p)
}

// Nor does what a handler announces of its answer.
func TestAnnouncedAnswersCostNothing(t *testing.T) {
	adapter, err := New(instant(t, replay.Config{}), Config{Scope: GlobalScope, MaxResponse: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	handler := adapter.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "268435456")
		w.Write([]byte("and no more"))
	}))
	n, _ := leastAllocated(func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("half an answer was given for a whole one")
			}
		}()
		handler.ServeHTTP(&dropped{header: http.Header{}}, posted(1, strings.NewReader("order"), 5))
	})
	if n > 128<<10 {
		t.Errorf("%d bytes allocated", n)
	}
}
