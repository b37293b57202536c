package httpadapter

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var allOutcomes = map[string]Outcome{
	"key-missing": KeyMissing, "key-malformed": KeyMalformed, "key-too-long": KeyTooLong, "key-repeated": KeyRepeated,
	"body-too-large": BodyTooLarge, "mismatch": Mismatch, "in-progress": InProgress, "outcome-unknown": OutcomeUnknown,
	"replay-unavailable": ReplayUnavailable, "unavailable": Unavailable, "unreadable": Unreadable,
	"replay-refused": ReplayRefused, "replay-hidden": ReplayHidden, "body-incomplete": BodyIncomplete, "unscoped": Unscoped,
}

// The contract's table of outcomes.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		outcome Outcome
		code    string
		status  int
		retry   bool
	}{
		{KeyMissing, "missing", 400, false},
		{KeyMalformed, "invalid", 400, false},
		{KeyTooLong, "invalid", 400, false},
		{KeyRepeated, "invalid", 400, false},
		{BodyTooLarge, "body-too-large", 413, false},
		{Mismatch, "reused", 422, false},
		{InProgress, "in-progress", 409, true},
		{OutcomeUnknown, "outcome-unknown", 409, false},
		{ReplayUnavailable, "replay-unavailable", 409, false},
		{Unavailable, "unavailable", 503, true},
		{Unreadable, "unreadable", 500, false},
		{ReplayHidden, "not-found", 404, false},
		{BodyIncomplete, "body-incomplete", 400, false},
		{Unscoped, "unscoped", 400, false},
		{ReplayRefused, "replay-refused", 403, false},
		{0, "unknown", 500, false},
		{Unscoped + 1, "unknown", 500, false},
		{255, "unknown", 500, false},
	} {
		o := tt.outcome
		if o.String() != tt.code || o.Status() != tt.status || o.Retryable() != tt.retry {
			t.Errorf("%d: got %s, %d, %v; want %+v", o, o, o.Status(), o.Retryable(), tt)
		}
	}
	if len(allOutcomes) != len(outcomes)-1 {
		t.Errorf("the tests know %d outcomes of %d", len(allOutcomes), len(outcomes)-1)
	}
}

// spoken answers with what it is told to, and keeps what it is asked.
type spoken struct {
	Problem
	answer  Rendering
	outcome Outcome
	info    Info
}

func (s *spoken) Render(o Outcome, info Info) Rendering {
	s.outcome, s.info = o, info
	return s.answer
}

func TestWriteErrorCommonHeaders(t *testing.T) {
	for name, o := range allOutcomes {
		t.Run(name, func(t *testing.T) {
			d := &spoken{answer: Rendering{Status: 418, ContentType: "text/tea", Body: []byte("½ pot")}}
			w := httptest.NewRecorder()
			info := Info{Key: "abc", RetryAfter: 1500 * time.Millisecond, DocURL: "https://api.example/docs#idempotency"}
			writeError(w, d, o, info)
			want := http.Header{
				"Content-Type":           {"text/tea"},
				"Content-Length":         {"6"},
				"Cache-Control":          {"no-store"},
				"X-Content-Type-Options": {"nosniff"},
				"X-Should-Retry":         {strconv.FormatBool(o.Retryable())},
				"Link":                   {`<https://api.example/docs#idempotency>; rel="describedby"; type="text/html"`},
			}
			if o == ReplayHidden { // which is not to tell of idempotency
				info = Info{}
				want = http.Header{"Content-Type": {"text/tea"}, "Content-Length": {"6"}}
			}
			if o == InProgress || o == Unavailable {
				want["Retry-After"] = []string{"2"}
			}
			if got := w.Result(); got.StatusCode != 418 || w.Body.String() != "½ pot" || !reflect.DeepEqual(got.Header, want) {
				t.Errorf("got  %d %v %s\nwant %v", got.StatusCode, got.Header, w.Body, want)
			}
			if d.outcome != o || d.info != info {
				t.Errorf("rendered %v, %+v", d.outcome, d.info)
			}
		})
	}
}

// Who gets a hidden key's 404 could have got it from http.NotFound, whatever the dialect.
func TestHiddenSaysNothing(t *testing.T) {
	want := httptest.NewRecorder()
	http.NotFound(want, nil)
	for _, g := range goldens {
		info := goldenInfo(g.dialect, ReplayHidden)
		info.DocURL, info.Message, info.RequestID = "https://api.example/docs", "of the key", "r1"
		got := httptest.NewRecorder()
		writeError(got, g.dialect, ReplayHidden, info)
		got.Header().Del("Content-Length") // which net/http adds to the other
		if got.Code != want.Code || got.Body.String() != want.Body.String() || !reflect.DeepEqual(got.Header(), want.Header()) {
			t.Errorf("%s: got %d %v %s", g.dir, got.Code, got.Header(), got.Body)
		}
	}
}

func TestWriteErrorKeepsToItsOwn(t *testing.T) {
	static := http.Header{"Link": slices.Grow([]string{"</a>; rel=next"}, 4), "stripe-should-retry": {"false"},
		"Retry-After": {"99"}, "Content-Length": {"1"}, "Cache-Control": {"public"}}
	d := &spoken{answer: Rendering{Header: static, ContentType: "text/plain", Body: []byte("no")}}
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "r1") // from around the adapter: stays
	w.Header().Set("Retry-After", "7")   // would say that a mismatch may be sent again
	writeError(w, d, Mismatch, Info{DocURL: "https://a.example/"})
	want := http.Header{
		"X-Request-Id": {"r1"}, "Stripe-Should-Retry": {"false"}, "Content-Type": {"text/plain"}, "Content-Length": {"2"},
		"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Should-Retry": {"false"},
		"Link": {"</a>; rel=next", `<https://a.example/>; rel="describedby"; type="text/html"`},
	}
	if got := w.Result(); got.StatusCode != 422 || !reflect.DeepEqual(got.Header, want) {
		t.Errorf("got  %d %v\nwant 422 %v", got.StatusCode, got.Header, want)
	}
	if len(static["Link"]) != 1 || static["Link"][:2][1] != "" {
		t.Errorf("the dialect's own header became %q", static["Link"][:2])
	}
}

func TestWriteErrorInsideCompressor(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Encoding", "gzip")
	writeError(w, Problem{}, InProgress, Info{})
	if got, there := w.Header()["Content-Length"]; there {
		t.Errorf("Content-Length %s of a body that will be encoded", got)
	}
}

func TestRetryAfterSeconds(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-time.Hour: 1, 0: 1, 1: 1, time.Second: 1, time.Second + 1: 2, 1900 * time.Millisecond: 2, 2 * time.Second: 2,
		29 * time.Second: 29, 29*time.Second + 1: 30, 30 * time.Second: 30, 30*time.Second + 1: 30, time.Hour: 30,
		1<<63 - 1: 30, -1 << 63: 1,
	} {
		if got := retryAfterSeconds(d); got != want {
			t.Errorf("%v: got %d, want %d", d, got, want)
		}
	}
}

func TestStoresByDefault(t *testing.T) {
	passing := []int{401, 403, 408, 409, 421, 423, 425, 429}
	for status := 100; status < 600; status++ {
		want := status >= 200 && status < 500 && !slices.Contains(passing, status)
		if got := (Problem{}).Stores(status); got != want {
			t.Errorf("%d: got %v, want %v", status, got, want)
		}
	}
}

func TestEncodeJSON(t *testing.T) {
	v := struct{ B, A string }{"<&>", "line\nend\n"}
	if got, want := string(encodeJSON(v, "")), `{"B":"<&>","A":"line\nend\n"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(encodeJSON(v, "  ")), "{\n  \"B\": \"<&>\",\n  \"A\": \"line\\nend\\n\"\n}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A dialect is written by embedding another and saying what differs.
type teapot struct{ Problem }

func (teapot) Syntax() KeySyntax                      { return bluesnapKeys }
func (teapot) Marker(key string) (name, value string) { return "idempotency-key", key }
func (teapot) Stores(status int) bool                 { return true }
func (teapot) Render(o Outcome, info Info) Rendering {
	if strings.Contains(info.Request.Header.Get("Accept"), "xml") {
		return Rendering{ContentType: "application/xml", Body: []byte("<code>" + o.String() + "</code>")}
	}
	return Problem{}.Render(o, info)
}

func TestOwnDialect(t *testing.T) {
	var d Dialect = teapot{}
	if name, value := d.Marker("abc"); name != "idempotency-key" || value != "abc" || !d.Stores(500) || d.Syntax().Max() != 64 {
		t.Error("what the dialect says of itself is lost")
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Accept", "application/xml")
	w := httptest.NewRecorder()
	writeError(w, d, InProgress, Info{Request: r})
	if w.Code != 409 || w.Body.String() != "<code>in-progress</code>" || w.Header().Get("Content-Type") != "application/xml" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
}
