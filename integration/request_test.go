package integration

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// A request is a POST to the payments API. What is empty has its usual value.
type request struct {
	key     string
	account string
	body    string
	answer  string // the status that the handler shall answer with
}

// A reply is all that a caller sees of an answer.
type reply struct {
	status  int
	header  http.Header
	body    string
	trailer http.Header
}

func pay(key string) request { return request{key: key} }

// other is a request that has the key of a usual one, and is another.
func other(key string) request { return request{key: key, body: `{"amount":1,"currency":"GBP"}`} }

// send sends a request to one machine. It may be called from any goroutine; a failed request is a
// zero reply.
func (f *fleet) send(t *testing.T, m *machine, q request) reply {
	t.Helper()
	if q.body == "" {
		q.body = `{"amount":1999,"currency":"GBP"}`
	}
	if q.account == "" {
		q.account = account
	}
	r, err := http.NewRequest(http.MethodPost, m.server.URL+"/payments", strings.NewReader(q.body))
	if err != nil {
		t.Error(err)
		return reply{}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Account", q.account)
	if q.key != "" {
		r.Header.Set("Idempotency-Key", q.key)
	}
	if q.answer != "" {
		r.Header.Set("X-Answer", q.answer)
	}
	r.GetBody = nil // net/http could send it again by itself
	answer, err := f.client.Do(r)
	if err != nil {
		t.Errorf("%s: %v", m.name, err)
		return reply{}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Errorf("%s: body: %v", m.name, err)
	}
	return reply{answer.StatusCode, answer.Header, string(body), answer.Trailer}
}

// sending sends a request in the background.
func (f *fleet) sending(t *testing.T, m *machine, q request) <-chan reply {
	c := make(chan reply, 1)
	go func() { c <- f.send(t, m, q) }()
	return c
}

// hold sends a request whose handler then stands at a gate, or does the work given.
func (f *fleet) hold(t *testing.T, m *machine, q request, work func(*http.Request)) (*gate, <-chan reply) {
	t.Helper()
	g := f.ledger.gate(t, q.key, work)
	answer := f.sending(t, m, q)
	select {
	case <-g.entered:
	case r := <-answer:
		t.Fatalf("answered without a handler: %s", r)
	}
	return g, answer
}

const marker = "Idempotency-Replayed"

func (r reply) replayed() bool { return r.header.Get(marker) == "true" }

// fresh fails the test unless r is the handler's own answer, and kept.
func fresh(t *testing.T, r reply) {
	t.Helper()
	if r.status != http.StatusCreated || r.header.Values(marker) != nil || r.header.Get("Idempotency-Stored") != "" {
		t.Errorf("want a fresh answer that is stored, got %s", r)
	}
}

// replays fails the test unless again is first as it was, and says that it is a replay.
func replays(t *testing.T, first, again reply) {
	t.Helper()
	if !again.replayed() {
		t.Errorf("want a replay, got %s", again)
	}
	if !first.same(again) {
		t.Errorf("a replay differs:\nfirst %s\nagain %s", first, again)
	}
}

// same compares all but the marker of a replay and the date, which is that of the sending.
func (r reply) same(other reply) bool {
	clean := func(h http.Header) http.Header {
		h = maps.Clone(h)
		h.Del(marker)
		h.Del("Date")
		return h
	}
	return r.status == other.status && r.body == other.body &&
		reflect.DeepEqual(clean(r.header), clean(other.header)) && maps.EqualFunc(r.trailer, other.trailer, equal)
}

func equal(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

func (r reply) String() string {
	body := r.body
	if len(body) > 300 {
		body = body[:300] + "… " + strconv.Itoa(len(r.body)) + " bytes"
	}
	text, _ := json.Marshal(map[string]any{"status": r.status, "header": r.header, "trailer": r.trailer})
	return string(text) + " " + strconv.Quote(body)
}

// refused fails the test unless r is the adapter's own refusal for that reason, with Retry-After if
// and only if the same request may be sent again.
func refused(t *testing.T, r reply, status int, code string) {
	t.Helper()
	var problem struct {
		Status    int
		Code      string
		Retryable bool
	}
	if err := json.Unmarshal([]byte(r.body), &problem); err != nil || r.status != status ||
		problem.Status != status || problem.Code != code || r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("want %d %s, got %s", status, code, r)
		return
	}
	if r.replayed() {
		t.Errorf("a refusal is marked as a replay: %s", r)
	}
	retry := status == http.StatusServiceUnavailable || code == "in-progress"
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	if given := err == nil && 1 <= seconds && seconds <= 30; given != retry || problem.Retryable != retry {
		t.Errorf("%s: Retry-After is %q and retryable %v", code, r.header.Get("Retry-After"), problem.Retryable)
	}
}

func inProgress(t *testing.T, r reply) {
	t.Helper()
	refused(t, r, http.StatusConflict, "in-progress")
}

func mismatch(t *testing.T, r reply) {
	t.Helper()
	refused(t, r, http.StatusUnprocessableEntity, "reused")
}

func unavailable(t *testing.T, r reply) {
	t.Helper()
	refused(t, r, http.StatusServiceUnavailable, "unavailable")
}
