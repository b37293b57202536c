package httpadapter

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPreferredWait(t *testing.T) {
	const none = -1 * time.Second
	for _, tt := range []struct {
		lines []string
		want  time.Duration
	}{
		{nil, none},
		{[]string{"wait=10"}, 10 * time.Second},
		{[]string{"wait=0"}, 0},
		{[]string{"Wait = 10"}, 10 * time.Second},
		{[]string{`wait="10"`}, 10 * time.Second},
		{[]string{"wait=10; foo=bar"}, 10 * time.Second},
		{[]string{"respond-async, wait=10"}, 10 * time.Second},
		{[]string{`foo="a, wait=1", wait=10`}, 10 * time.Second},
		{[]string{"respond-async", "wait=10"}, 10 * time.Second},
		{[]string{"wait=10, wait=20"}, 10 * time.Second}, // the first one counts
		{[]string{"wait=10", "wait=20"}, 10 * time.Second},
		{[]string{"wait=2147483647"}, 2147483647 * time.Second},
		{[]string{"wait=2147483648"}, none},
		{[]string{"wait"}, none},
		{[]string{"wait="}, none},
		{[]string{"wait=1.5"}, none},
		{[]string{"wait=-1"}, none},
		{[]string{"wait=+1"}, none},
		{[]string{"wait=1s"}, none},
		{[]string{`wait="`}, none},
		{[]string{"waiting=10"}, none},
		{[]string{",,;=,"}, none},
	} {
		got, ok := preferredWait(http.Header{"Prefer": tt.lines})
		if !ok {
			got = none
		}
		if got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.lines, got, tt.want)
		}
	}
}

// Whatever else a client prefers, and however it writes it, its first wait counts.
func FuzzPreferredWait(f *testing.F) {
	f.Add("respond-async, wait=10", "a, wait=1; \"", uint32(20))
	f.Add(`wait="1`, `\`, uint32(1<<31))
	f.Add(`,;=",`, "", uint32(0))
	f.Fuzz(func(t *testing.T, line, text string, n uint32) {
		got, ok := preferredWait(http.Header{"Prefer": {line}})
		if got < 0 || got > (1<<31-1)*time.Second || got%time.Second != 0 {
			t.Errorf("%q: got %v, %v", line, got, ok)
		}
		if again, okAgain := preferredWait(http.Header{"Prefer": {line, "wait=7"}}); ok && (again != got || !okAgain) {
			t.Errorf("%q: got %v, and with another after it %v, %v", line, got, again, okAgain)
		}
		// A quoted string holds anything (RFC 9110 §5.6.4).
		quoted := `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(text) + `"`
		seconds := strconv.FormatUint(uint64(n), 10)
		for _, list := range [][]string{
			{"foo=" + quoted + ", wait=" + seconds + ", wait=1"},
			{"foo;bar=" + quoted, `, Wait = "` + seconds + `" ; x=` + quoted + ",wait=1"},
			{"wait=" + seconds + ";x=" + quoted, line},
		} {
			got, ok := preferredWait(http.Header{"Prefer": list})
			if want := time.Duration(n) * time.Second; n < 1<<31 && (got != want || !ok) || n >= 1<<31 && ok {
				t.Errorf("%q: got %v, %v, want %v", list, got, ok, want)
			}
		}
	})
}
