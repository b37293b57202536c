package httpadapter_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/klauspost/compress/s2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/internal/forged"
	"github.com/reprise-go/reprise/replay"
)

// Whoever can write to Redis can write a record. It may say what it likes as an answer, and nothing to the
// connection: what a record of ours would not hold, none that is read gives.

func TestForgedHeadersAreFiltered(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, "created"), setup{http: func(c *httpadapter.Config) {
			c.AllowHeaders, c.DenyHeaders = []string{"Age"}, []string{"X-Secret"}
		}})
		s.post("order").isFresh(t, 201, "created")
		forged.Record(t, f.Redis, map[string]any{
			"status": 200, "body": []byte("forged"),
			"header": http.Header{
				"Transfer-Encoding": {"chunked"}, "Content-Length": {"3"}, "Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Trailer": {"X-Sum"},
				"Set-Cookie": {"a=b"}, "X-Secret": {"s"}, "Idempotency-Stored": {"false"}, "Upgrade": {"h2c"}, "bad name": {"1"}, "": {"1"}, "X-A: 1\r\nX-B": {"1"},
				"transfer-encoding": {"chunked"}, "X-Line": {"a\r\nX-Injected: 1"}, "Age": {"3"}, "X-Kept": {"1"},
			},
			"trailer": http.Header{"X-Sum": {"42"}, "Content-Length": {"3"}, "Transfer-Encoding": {"chunked"}, "Trailer": {"X"}, "X y": {"1"}},
		})
		a := s.post("order")
		want := http.Header{"X-Line": {"a  X-Injected: 1"}, "Age": {"3"}, "X-Kept": {"1"}, replayed: {"true"}}
		a.header.Del("Content-Type") // found by net/http
		if a.err != nil || a.status != 200 || a.body != "forged" || !maps.EqualFunc(a.header, want, slices.Equal[[]string]) {
			t.Errorf("got %d %q, %v, want %v (%v)", a.status, a.body, a.header, want, a.err)
		}
		if want := (http.Header{"X-Sum": {"42"}}); !maps.EqualFunc(a.trailer, want, slices.Equal[[]string]) {
			t.Errorf("trailers %v, want %v", a.trailer, want)
		}
	})
}

func TestForgedAnswersThatAreNone(t *testing.T) {
	for name, tc := range map[string]struct {
		answer map[string]any
		body   string
		status int // 0: refused
	}{
		"no status":       {map[string]any{}, "", 0},
		"status 0":        {map[string]any{"status": 0}, "", 0},
		"informational":   {map[string]any{"status": 101}, "", 0},
		"beyond":          {map[string]any{"status": 1000}, "", 0},
		"negative":        {map[string]any{"status": -200}, "", 0},
		"very large":      {map[string]any{"status": uint64(1)<<63 + 200}, "", 0},
		"of another type": {map[string]any{"status": "200"}, "", 0},
		"no body allowed": {map[string]any{"status": 204, "body": []byte("HTTP/1.1 200 OK\r\n\r\n"), "trailer": http.Header{"X-Sum": {"1"}}}, "", 204},
		"nor here":        {map[string]any{"status": 304, "body": []byte("body")}, "", 304},
		"odd, but one":    {map[string]any{"status": 999, "body": []byte("body")}, "body", 999},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, writes(201, "created"))
				s.post("order").isFresh(t, 201, "created")
				forged.Record(t, f.Redis, tc.answer)
				if a := s.post("order"); tc.status == 0 {
					a.isProblem(t, 500, "unreadable", "")
				} else if a.err != nil || a.status != tc.status || a.body != tc.body || a.trailer != nil {
					t.Errorf("got %d %q, %v, %v", a.status, a.body, a.trailer, a.err)
				}
				s.ran(1)
			})
		})
	}
}

// MaxResponse bounds what is read as it bounds what is written, and so what a record can cost: however little
// there is of it, and whatever it says that it holds.
func TestForgedRecordsAreBounded(t *testing.T) {
	const maxResponse = 64 << 10
	status := "\xa6status\xcc\xc8"
	many := func(before, each string, n int) []byte {
		b := binary.BigEndian.AppendUint32([]byte("\x82"+status+before), uint32(n))
		return append(b, strings.Repeat(each, n)...)
	}
	pairs := func(each string, n int) []byte {
		b := binary.BigEndian.AppendUint32([]byte("\xdf"), uint32(n))
		return append(b, strings.Repeat(each, n)...)
	}
	for name, payload := range map[string][]byte{
		"values of a header":   many("\xa6header\x81\xa1A\xdd", "\xa0", 1<<20),
		"headers":              many("\xa6header\xdf", "\xa1A\x91\xa0", 1<<18),
		"headers of headers":   pairs("\xa6header\x81\xa1A\x91\xa0", 1<<18),
		"as many as are read":  pairs("\xa6header\x81\xa1A\x91\xa0", 800),
		"trailers":             many("\xa7trailer\x81\xa1A\xdd", "\xa0", 1<<20),
		"unknown fields":       pairs("\xa1x\x80", 1<<20),
		"a long body":          many("\xa4body\xc6", "x", 8<<20),
		"a byte more of body":  many("\xa4body\xc6", "x", maxResponse+1),
		"a long text":          many("\xa6header\x81\xa1A\x91\xdb", "x", 8<<20),
		"nested without end":   []byte(strings.Repeat("\x81\xa1A", 1<<20)),
		"bodies, one by one":   pairs("\xa4body\xc4\x01x", 1<<18),
		"less than was said":   {0xff, 0xff, 0xff, 0x07, 0},
		"less than a mebibyte": {0x80, 0x80, 0x10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, writes(201, "created"), setup{http: func(c *httpadapter.Config) { c.MaxResponse = maxResponse }})
				s.post("order").isFresh(t, 201, "created")
				if len(payload) > 8 {
					payload = s2.EncodeBest(nil, payload)
				}
				forged.Payload(t, f.Redis, forged.Compressed, payload)
				s.post("order") // whatever has to be set up once
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				a := s.post("order")
				runtime.ReadMemStats(&after)
				// Twice what a record of MaxResponse has, 256 KiB of headers included, and 1 MiB for the request itself.
				if took := after.TotalAlloc - before.TotalAlloc; took > 2*(maxResponse+256<<10)+1<<20 {
					t.Errorf("%d bytes allocated for a record of %d", took, len(payload))
				} else {
					t.Logf("%d bytes allocated for a record of %d: %d", took, len(payload), a.status)
				}
				if name == "a byte more of body" {
					// What would not have been kept is not given either.
					a.isProblem(t, 409, "replay-unavailable", "")
				}
				if a.status != 500 && a.status != 409 {
					t.Errorf("got %d %.100q", a.status, a.body)
				}
				s.ran(1)
			})
		})
	}
}

// An answer whose headers are more than a record may have is given, and not kept: the same bound both ways.
func TestHeadersThatAreTooManyToKeep(t *testing.T) {
	for name, set := range map[string]func(http.Header){
		"values": func(h http.Header) { h["X-Many"] = make([]string, 5000) },
		"bytes":  func(h http.Header) { h.Set("X-Long", strings.Repeat("x", 257<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					set(w.Header())
					writes(201, "created")(w, r)
				}, setup{http: func(c *httpadapter.Config) { c.MaxResponse = 100 }})
				if a := s.post("order"); a.status != 201 || a.body != "created" || a.header.Get("Idempotency-Stored") != "false" {
					t.Errorf("got %d %q, %v", a.status, a.body, a.err)
				}
				s.post("order").isProblem(t, 409, "replay-unavailable", "")
				s.ran(1)
			})
		})
	}
}

// FuzzHostileRecord writes records under a key and asks for it on a real HTTP/1.1 connection, on which another
// request follows: whatever the record is, nothing panics, the second answer is the second's, and no more is
// allocated than a record of MaxResponse may take.
func FuzzHostileRecord(f *testing.F) {
	const maxResponse = 32 << 10
	mini := miniredis.NewMiniRedis()
	f.Cleanup(mini.Close)
	client := redis.NewClient(&redis.Options{
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer:                   func(context.Context, string, string) (net.Conn, error) { return mini.Dial() },
	})
	f.Cleanup(func() { client.Close() })
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		f.Fatal(err)
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope, MaxResponse: maxResponse})
	if err != nil {
		f.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /", adapter.Handler(writes(201, "created")))
	mux.HandleFunc("GET /", writes(200, "after"))
	server := httptest.NewServer(mux)
	f.Cleanup(server.Close)
	const request = "POST / HTTP/1.1\r\nHost: api.test\r\nIdempotency-Key: k\r\nContent-Length: 1\r\n\r\n1"
	ask := func(t *testing.T) (first *http.Response, body string) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request+"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		read := func() (*http.Response, string) {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatalf("half an answer: %v", err)
			}
			return resp, string(b)
		}
		first, body = read()
		if next, text := read(); next.StatusCode != 200 || text != "after" {
			t.Errorf("the next answer is %d %q", next.StatusCode, text)
		}
		if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
			t.Errorf("and then %q, %v", rest, err)
		}
		return first, body
	}

	f.Add(uint16(200), "Transfer-Encoding", "chunked", "X-Sum", "42", []byte("5\r\nhello\r\n0\r\n\r\n"), []byte("\x81\xa6status\xcc\xc8"))
	f.Add(uint16(204), "Content-Length", "3", "Content-Length", "7", []byte("body"), []byte("\xc0"))
	f.Add(uint16(304), "Connection", "close", "Trailer", "X", []byte("body"), []byte("\x91\xdc\xff\xff"))
	f.Add(uint16(101), "Upgrade", "h2c", "", "", []byte(nil), []byte("\x82\xa6status\xcd\x03\xe7\xa6header\x81\xa1A\xdd\xff\xff\xff\xff"))
	f.Add(uint16(999), "X-A\r\nX-B", "a\r\n\r\nHTTP/1.1 200 OK", "x y", "\x00", []byte("x"), s2.Encode(nil, append([]byte("\x81\xa6header\x81\xa1A\xdd\x00\x10\x00\x00"), make([]byte, 1<<20)...)))
	f.Add(uint16(200), "Content-Encoding", "g\x00ip", "X-Sum", "a\r\nb", []byte("x"), []byte("R\x01\x00"))
	f.Fuzz(func(t *testing.T, status uint16, name, value, trailer, end string, body, raw []byte) {
		mini.FlushAll()
		if first, text := ask(t); first.StatusCode != 201 || text != "created" {
			t.Fatalf("fresh: %d %q", first.StatusCode, text)
		}
		key := mini.Keys()[0]
		for i, write := range []func(){
			func() {
				forged.Record(t, mini, map[string]any{
					"status": status, "header": http.Header{name: {value}}, "body": body, "trailer": http.Header{trailer: {end}},
				})
			},
			func() { forged.Payload(t, mini, 0, raw) },
			func() { forged.Payload(t, mini, forged.Compressed, raw) },
			func() { _ = mini.Set(key, string(raw)) },
		} {
			if len(body) > maxResponse/2 || len(raw) > maxResponse {
				return
			}
			before, _ := mini.Get(key)
			write()
			var from, to runtime.MemStats
			runtime.ReadMemStats(&from)
			first, text := ask(t)
			runtime.ReadMemStats(&to)
			if took := to.TotalAlloc - from.TotalAlloc; took > 2*(maxResponse+256<<10)+2<<20 {
				t.Errorf("%d bytes allocated", took)
			}
			replayed := first.Header.Get("Idempotency-Replayed") == "true"
			bodiless := status == 204 || status == 304
			if i > 0 {
				// Whatever it is.
			} else if replayed != (status >= 200 && status <= 999) {
				t.Errorf("status %d: replayed %v, as %d %q", status, replayed, first.StatusCode, text)
			} else if replayed && (first.StatusCode != int(status) || text != string(body) && !bodiless) {
				t.Errorf("%d %q is replayed as %d %q", status, body, first.StatusCode, text)
			}
			_ = mini.Set(key, before)
		}
	})
}
