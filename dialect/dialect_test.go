package dialect_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/refusal"
)

var allOutcomes = map[string]dialect.Outcome{
	"key-missing": dialect.KeyMissing, "key-malformed": dialect.KeyMalformed, "key-too-long": dialect.KeyTooLong, "key-repeated": dialect.KeyRepeated,
	"body-too-large": dialect.BodyTooLarge, "reused": dialect.Reused, "in-progress": dialect.InProgress, "outcome-unknown": dialect.OutcomeUnknown,
	"replay-unavailable": dialect.ReplayUnavailable, "unavailable": dialect.Unavailable, "unreadable": dialect.Unreadable,
	"replay-refused": dialect.ReplayRefused, "replay-hidden": dialect.ReplayHidden, "body-incomplete": dialect.BodyIncomplete, "unscoped": dialect.Unscoped,
}

// This is the contract's table of outcomes.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		outcome dialect.Outcome
		code    string
		status  int
		retry   bool
	}{
		{dialect.KeyMissing, "missing", 400, false},
		{dialect.KeyMalformed, "invalid", 400, false},
		{dialect.KeyTooLong, "invalid", 400, false},
		{dialect.KeyRepeated, "invalid", 400, false},
		{dialect.BodyTooLarge, "body-too-large", 413, false},
		{dialect.Reused, "reused", 422, false},
		{dialect.InProgress, "in-progress", 409, true},
		{dialect.OutcomeUnknown, "outcome-unknown", 409, false},
		{dialect.ReplayUnavailable, "replay-unavailable", 409, false},
		{dialect.Unavailable, "unavailable", 503, true},
		{dialect.Unreadable, "unreadable", 500, false},
		{dialect.ReplayHidden, "not-found", 404, false},
		{dialect.BodyIncomplete, "body-incomplete", 400, false},
		{dialect.Unscoped, "unscoped", 400, false},
		{dialect.ReplayRefused, "replay-refused", 403, false},
		{0, "unknown", 500, false},
		{dialect.Unscoped + 1, "unknown", 500, false},
		{255, "unknown", 500, false},
	} {
		o := tt.outcome
		if o.String() != tt.code || o.Status() != tt.status || o.Retryable() != tt.retry {
			t.Errorf("%d: got %s, %d, %v; want %+v", o, o, o.Status(), o.Retryable(), tt)
		}
	}
	for o := range dialect.Outcome(dialect.OutcomeCount) {
		if got := dialect.ParseOutcome(o.String()); got.String() != o.String() {
			t.Errorf("%s is read as %s", o, got)
		}
	}
	if got := dialect.ParseOutcome("mismatch"); got != 0 {
		t.Errorf("an unknown code is read as %s", got)
	}
	if len(allOutcomes) != dialect.OutcomeCount-1 {
		t.Errorf("the tests know %d outcomes of %d", len(allOutcomes), dialect.OutcomeCount-1)
	}
}

// In every dialect, the 404 of a hidden key is exactly that of http.NotFound.
func TestHiddenSaysNothing(t *testing.T) {
	want := httptest.NewRecorder()
	http.NotFound(want, nil)
	for _, g := range goldens {
		info := goldenInfo(g.dialect, dialect.ReplayHidden)
		info.DocURL, info.Message, info.RequestID = "https://api.example/docs", "of the key", "r1"
		got := httptest.NewRecorder()
		refusal.Write(got, g.dialect, dialect.ReplayHidden, info)
		got.Header().Del("Content-Length") // which net/http adds to the other
		if got.Code != want.Code || got.Body.String() != want.Body.String() || !reflect.DeepEqual(got.Header(), want.Header()) {
			t.Errorf("%s: got %d %v %s", g.dir, got.Code, got.Header(), got.Body)
		}
	}
}

func TestStoresByDefault(t *testing.T) {
	notFinal := []int{401, 403, 408, 409, 421, 423, 425, 429}
	for status := 100; status < 600; status++ {
		want := status >= 200 && status < 500 && !slices.Contains(notFinal, status)
		if got := (dialect.Problem{}).Stores(status); got != want {
			t.Errorf("%d: got %v, want %v", status, got, want)
		}
	}
}

// teapot embeds another dialect and overrides what differs.
type teapot struct{ dialect.Problem }

func (teapot) Syntax() dialect.KeySyntax              { return dialect.BlueSnap{}.Syntax() }
func (teapot) Marker(key string) (name, value string) { return "idempotency-key", key }
func (teapot) Stores(status int) bool                 { return true }
func (teapot) Render(o dialect.Outcome, info dialect.Info) dialect.Rendering {
	if strings.Contains(info.Request.Header.Get("Accept"), "xml") {
		return dialect.Rendering{ContentType: "application/xml", Body: []byte("<code>" + o.String() + "</code>")}
	}
	return dialect.Problem{}.Render(o, info)
}

func TestOwnDialect(t *testing.T) {
	var d dialect.Dialect = teapot{}
	if name, value := d.Marker("abc"); name != "idempotency-key" || value != "abc" || !d.Stores(500) || d.Syntax().Max() != 64 {
		t.Error("a method that the dialect overrides is not called")
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Accept", "application/xml")
	w := httptest.NewRecorder()
	refusal.Write(w, d, dialect.InProgress, dialect.Info{Request: r})
	if w.Code != 409 || w.Body.String() != "<code>in-progress</code>" || w.Header().Get("Content-Type") != "application/xml" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
}
