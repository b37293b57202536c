package httpadapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An answer is what a client gets.
type answer struct {
	status  int
	header  http.Header // without Date and Connection
	trailer http.Header
	body    string
	err     error // of the request, or of reading the body
	early   []int // 1xx
	took    time.Duration
}

// text is the answer as a page of text, with its headers sorted.
func (a answer) text() string {
	var b bytes.Buffer
	b.WriteString(strconv.Itoa(a.status) + "\n")
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		for _, value := range a.header[name] {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	b.WriteString("\n" + a.body)
	for _, name := range slices.Sorted(maps.Keys(a.trailer)) {
		b.WriteString("\n" + name + ": " + strings.Join(a.trailer[name], ", "))
	}
	return b.String()
}

const replayed = "Idempotency-Replayed"

// is checks for the handler's answer, fresh.
func (a answer) isFresh(t *testing.T, status int, body string) {
	t.Helper()
	if a.err != nil || a.status != status || a.body != body || a.header[replayed] != nil || a.header["Idempotency-Stored"] != nil {
		t.Errorf("got %v\n%s\nwant it fresh and stored: %d %s", a.err, a.text(), status, body)
	}
}

// isUnstored checks for the handler's answer, marked as one that a retry will not get.
func (a answer) isUnstored(t *testing.T, status int, body string) {
	t.Helper()
	if a.err != nil || a.status != status || a.body != body || a.header[replayed] != nil || a.header.Get("Idempotency-Stored") != "false" {
		t.Errorf("got %v\n%s\nwant it marked as not stored: %d %s", a.err, a.text(), status, body)
	}
}

// replays checks that the answer is fresh's, but for the marker.
func (a answer) replays(t *testing.T, fresh answer) {
	t.Helper()
	if a.err != nil || a.header.Get(replayed) != "true" {
		t.Errorf("not marked as a replay: %v\n%s", a.err, a.text())
		return
	}
	a.header.Del(replayed)
	if a.text() != fresh.text() {
		t.Errorf("replayed\n%.2000s\nwant\n%.2000s", a.text(), fresh.text())
	}
}

// isReplay checks for a record's answer.
func (a answer) isReplay(t *testing.T, status int, body string) {
	t.Helper()
	if a.err != nil || a.status != status || a.body != body || a.header.Get(replayed) != "true" {
		t.Errorf("got %v\n%s\nwant it replayed: %d %s", a.err, a.text(), status, body)
	}
}

// isProblem checks for an error of ours, to the header.
func (a answer) isProblem(t *testing.T, status int, code, retryAfter string) {
	t.Helper()
	want := http.Header{
		"Content-Type":           {"application/problem+json"},
		"Content-Length":         {strconv.Itoa(len(a.body))},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
		"X-Should-Retry":         {strconv.FormatBool(retryAfter != "")},
	}
	if retryAfter != "" {
		want["Retry-After"] = []string{retryAfter}
	}
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
		Retryable                 bool
	}
	err := json.Unmarshal([]byte(a.body), &p)
	if a.err != nil || err != nil || a.status != status || !maps.EqualFunc(a.header, want, slices.Equal[[]string]) || p.Code != code ||
		p.Status != status || p.Retryable != (retryAfter != "") || !strings.HasSuffix(p.Type, "#"+code) || p.Title == "" || p.Detail == "" {
		t.Errorf("got %v\n%s\nwant %d %s, Retry-After %q", errors.Join(a.err, err), a.text(), status, code, retryAfter)
	}
}

// isBroken checks that the client has no whole answer.
func (a answer) isBroken(t *testing.T) {
	t.Helper()
	if a.err == nil {
		t.Errorf("got a whole answer\n%s", a.text())
	}
}

// withEarly collects the informational answers to a request.
func withEarly(ctx context.Context, early *[]int) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			*early = append(*early, code)
			return nil
		},
	})
}
