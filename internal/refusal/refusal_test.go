package refusal

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

// spoken answers with what it is told to, and keeps what it is asked.
type spoken struct {
	dialect.Problem
	answer  dialect.Rendering
	outcome dialect.Outcome
	info    dialect.Info
}

func (s *spoken) Render(o dialect.Outcome, info dialect.Info) dialect.Rendering {
	s.outcome, s.info = o, info
	return s.answer
}

func TestWriteCommonHeaders(t *testing.T) {
	for o := dialect.Outcome(1); o.String() != "unknown"; o++ {
		t.Run(strconv.Itoa(int(o)), func(t *testing.T) {
			d := &spoken{answer: dialect.Rendering{Status: 418, ContentType: "text/tea", Body: []byte("½ pot")}}
			w := httptest.NewRecorder()
			info := dialect.Info{Key: "abc", RetryAfter: 1500 * time.Millisecond, DocURL: "https://api.example/docs#idempotency"}
			Write(w, d, o, info)
			want := http.Header{
				"Content-Type":           {"text/tea"},
				"Content-Length":         {"6"},
				"Cache-Control":          {"no-store"},
				"X-Content-Type-Options": {"nosniff"},
				"X-Should-Retry":         {strconv.FormatBool(o.Retryable())},
				"Link":                   {`<https://api.example/docs#idempotency>; rel="describedby"; type="text/html"`},
			}
			if o == dialect.ReplayHidden { // which is not to tell of idempotency
				info = dialect.Info{}
				want = http.Header{"Content-Type": {"text/tea"}, "Content-Length": {"6"}}
			}
			if o == dialect.InProgress || o == dialect.Unavailable {
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

func TestWriteKeepsToItsOwn(t *testing.T) {
	static := http.Header{"Link": slices.Grow([]string{"</a>; rel=next"}, 4), "stripe-should-retry": {"false"},
		"Retry-After": {"99"}, "Content-Length": {"1"}, "Cache-Control": {"public"}}
	d := &spoken{answer: dialect.Rendering{Header: static, ContentType: "text/plain", Body: []byte("no")}}
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "r1") // from around the adapter: stays
	w.Header().Set("Retry-After", "7")   // would say that a mismatch may be sent again
	Write(w, d, dialect.Reused, dialect.Info{DocURL: "https://a.example/"})
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

func TestWriteInsideCompressor(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Encoding", "gzip")
	Write(w, dialect.Problem{}, dialect.InProgress, dialect.Info{})
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
