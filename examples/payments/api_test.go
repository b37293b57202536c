package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
	"github.com/reprise-go/reprise/reprisetest"
)

const order = `{"amount":1999,"currency":"GBP"}`

// A reply is what a client gets.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r reply) String() string { return fmt.Sprintf("%d %s %v", r.status, r.body, r.err) }

func (r reply) replayed() bool { return r.header.Get("Idempotency-Replayed") == "true" }

func (r reply) payment(t *testing.T) payment {
	t.Helper()
	var p payment
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.ID == "" {
		t.Fatalf("%v is no payment: %v", r, err)
	}
	return p
}

// try posts once, over a connection of its own: Go sends a request that has a key again when a
// connection that it has used before breaks.
func try(url, key, body string, headers ...string) reply {
	return do(http.MethodPost, url, body, append(headers, "Idempotency-Key", key)...)
}

func do(method, url, body string, headers ...string) reply {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(b), err}
}

func post(t *testing.T, url, key, body string, headers ...string) reply {
	t.Helper()
	r := try(url, key, body, headers...)
	if r.err != nil {
		t.Error(r.err)
	}
	return r
}

func get(t *testing.T, url string, headers ...string) reply {
	t.Helper()
	r := do(http.MethodGet, url, "", headers...)
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

func charges(t *testing.T, url string) int {
	t.Helper()
	var list struct{ Charges int }
	r := get(t, url)
	if err := json.Unmarshal([]byte(r.body), &list); err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	return list.Charges
}

// expect fails the test unless got has the status, is replayed or not, and the ledger counts so.
func expect(t *testing.T, url string, got reply, status int, replayed bool, n int) {
	t.Helper()
	if got.status != status || got.replayed() != replayed {
		t.Errorf("got %v, replayed %v; want %d, replayed %v", got, got.replayed(), status, replayed)
	}
	if c := charges(t, url); c != n {
		t.Errorf("%d charges, want %d", c, n)
	}
}

func TestPaymentIsMadeOnce(t *testing.T) {
	_, urls := startFleet(t, 2)
	a, b := urls[0], urls[1]

	first := post(t, a, "k", order)
	expect(t, a, first, 201, false, 1)
	p := first.payment(t)
	want := fmt.Sprintf(`{"id":%q,"amount":1999,"currency":"GBP","attempt":1,"fence":%d}`, p.ID, p.Fence)
	if first.body != want || p.Fence <= 0 {
		t.Errorf("got %s, want %s", first.body, want)
	}
	if loc := first.header.Get("Location"); loc != "/payments/"+p.ID {
		t.Errorf("Location: %s", loc)
	}

	again := post(t, b, "k", order)
	expect(t, b, again, 201, true, 1)
	if again.body != first.body || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("replayed %v, want %v", again, first)
	}
	expect(t, a, post(t, b, "k", `{"amount":2999,"currency":"GBP"}`), 422, false, 1)

	if one := get(t, b+"/"+p.ID); one.status != 200 || one.body != first.body {
		t.Errorf("GET one: %v", one)
	}
	if all := get(t, b); all.status != 200 || all.body != `{"charges":1,"payments":[`+first.body+`]}` {
		t.Errorf("GET all: %v", all)
	}
}

// What happens in production makes no second charge: crashes, lost leases, a Redis that forgets or is
// down.
func TestPaymentsAreRetrySafe(t *testing.T) {
	ledger, err := openLedger(t.Context(), filepath.Join(t.TempDir(), "payments.db"), effect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.close() })
	reprisetest.RetrySafe(t, reprisetest.Subject{
		Handler: func(t *testing.T, engine *replay.Engine) http.Handler {
			h, err := newHandler(engine, httpadapter.Config{}, ledger, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			return h
		},
		Request: func(key string) *http.Request { return ordered(key, order) },
		Another: func(key string) *http.Request { return ordered(key, `{"amount":2999,"currency":"GBP"}`) },
		Effects: func(t *testing.T) map[string]int {
			n, _, err := ledger.list(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			return map[string]int{"charges": n}
		},
	})
}

func ordered(key, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader(body))
	r.Header.Set("Idempotency-Key", key)
	return r
}

func TestConcurrentDuplicates(t *testing.T) {
	_, urls := startFleet(t, 3)
	replies := make([]reply, 50)
	var begin, end sync.WaitGroup
	begin.Add(1)
	for i := range replies {
		end.Go(func() {
			begin.Wait()
			replies[i] = post(t, urls[i%3], "k", order, delayHeader, "100ms")
		})
	}
	begin.Done()
	end.Wait()

	fresh, body := 0, ""
	for _, r := range replies {
		switch {
		case r.status == 409 && r.header.Get("Retry-After") != "":
		case r.status == 201:
			if !r.replayed() {
				fresh++
			}
			if body == "" {
				body = r.body
			}
			if r.body != body {
				t.Errorf("got %s, and %s", body, r.body)
			}
		default:
			t.Errorf("got %v", r)
		}
	}
	if fresh != 1 {
		t.Errorf("%d fresh answers, want 1", fresh)
	}
	expect(t, urls[1], post(t, urls[2], "k", order), 201, true, 1)
}

func TestRefusalsAreStored(t *testing.T) {
	_, urls := startFleet(t, 1)
	for i, tt := range []struct {
		body   string
		header []string
		status int
	}{
		{"", nil, 400},
		{"{", nil, 400},
		{order + "{}", nil, 400},
		{`{"amount":"1"}`, nil, 400},
		{`{"amount":1.5}`, nil, 400},
		{`{"amount":9223372036854775808}`, nil, 400},
		{`[]`, nil, 400},
		{`{}`, nil, 422},
		{`null`, nil, 422},
		{`{"amount":0,"currency":"GBP"}`, nil, 422},
		{`{"amount":-1,"currency":"GBP"}`, nil, 422},
		{`{"amount":0,"currency":"GBP"}`, []string{lateHeader, "503"}, 422}, // nothing was charged
		{order, []string{delayHeader, "soon"}, 400},
		{order, []string{delayHeader, "-1s"}, 400},
		{order, []string{delayHeader, "61s"}, 400},
		{order, []string{statusHeader, "ok"}, 400},
		{order, []string{lateHeader, "ok"}, 400},
		{order, []string{statusHeader, "101"}, 400},
		{order, []string{statusHeader, "600"}, 400},
		{order, []string{sizeHeader, "1KiB"}, 400},
		{order, []string{sizeHeader, "-1"}, 400},
		{order, []string{sizeHeader, "16777217"}, 400},
	} {
		key := fmt.Sprint("k", i)
		first := post(t, urls[0], key, tt.body, tt.header...)
		expect(t, urls[0], first, tt.status, false, 0)
		if ct := first.header.Get("Content-Type"); ct != "application/problem+json" || !json.Valid([]byte(first.body)) {
			t.Errorf("%s: %v", ct, first)
		}
		again := post(t, urls[0], key, tt.body, tt.header...)
		expect(t, urls[0], again, tt.status, true, 0)
		if again.body != first.body {
			t.Errorf("replayed %v, want %v", again, first)
		}
	}
}

func TestKeyIsRequired(t *testing.T) {
	_, urls := startFleet(t, 1, "REPRISE_HTTP_REQUIRE_KEY=false")
	expect(t, urls[0], do(http.MethodPost, urls[0], order), 400, false, 0)
	expect(t, urls[0], try(urls[0], "", order), 400, false, 0)
	expect(t, urls[0], try(urls[0], "k", order, "Idempotency-Key", "k2"), 400, false, 0)
}

func TestFailureThenRetry(t *testing.T) {
	for _, tt := range []struct {
		name    string
		header  []string
		environ string
		charges int // by the failure; after the retry it is one
		attempt int // that charged
	}{
		{"503", []string{lateHeader, "503"}, "", 1, 1},
		{"503, reconciled", []string{lateHeader, "503"}, "REPRISE_REPLAY_ON_ABANDONED=reconcile", 1, 1},
		{"panic", []string{panicHeader, "1"}, "", 0, 2},
		{"panic, reconciled", []string{panicHeader, "1"}, "REPRISE_REPLAY_ON_ABANDONED=reconcile", 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, urls := startFleet(t, 2, tt.environ)
			failed := try(urls[0], "k", order, tt.header...)
			if tt.header[0] == panicHeader {
				if failed.err == nil {
					t.Errorf("got %v, want a broken connection", failed)
				}
			} else if failed.status != 503 || failed.header.Get("Location") != "" {
				t.Errorf("got %v, want 503", failed)
			}
			if n := charges(t, urls[0]); n != tt.charges {
				t.Errorf("%d charges by the failure, want %d", n, tt.charges)
			}

			retry := post(t, urls[1], "k", order)
			expect(t, urls[0], retry, 201, tt.charges > 0, 1)
			if got := retry.payment(t).Attempt; got != tt.attempt {
				t.Errorf("charged by attempt %d, want %d", got, tt.attempt)
			}
			again := post(t, urls[0], "k", order)
			expect(t, urls[0], again, 201, true, 1)
			if again.body != retry.body {
				t.Errorf("replayed %v, want %v", again, retry)
			}
		})
	}
}

func TestTenants(t *testing.T) {
	_, urls := startFleet(t, 1)
	url := urls[0]
	ann := post(t, url, "k", order, "X-Account", "ann")
	expect(t, url, ann, 201, false, 1)
	bob := post(t, url, "k", order, "X-Account", "bob")
	expect(t, url, bob, 201, false, 2)
	expect(t, url, post(t, url, "k", order), 201, false, 3)
	expect(t, url, post(t, url, "k", order, "X-Account", "demo"), 201, true, 3)

	id := ann.payment(t).ID
	if id == bob.payment(t).ID {
		t.Error("two payments, one ID")
	}
	if r := get(t, url+"/"+id, "X-Account", "ann"); r.status != 200 || r.body != ann.body {
		t.Errorf("got %v", r)
	}
	for _, r := range []reply{get(t, url+"/"+id, "X-Account", "bob"), get(t, url+"/"+id), get(t, url+"/pay_none")} {
		if r.status != 404 || r.header.Get("Content-Type") != "application/problem+json" || !json.Valid([]byte(r.body)) {
			t.Errorf("got %v, want 404", r)
		}
	}
	if r := get(t, url, "X-Account", "bob"); r.body != `{"charges":3,"payments":[`+bob.body+`]}` {
		t.Errorf("got %v, want bob's payment", r)
	}
	if r := get(t, url, "X-Account", "eve"); r.body != `{"charges":3,"payments":[]}` {
		t.Errorf("got %v, want no payments", r)
	}
}
