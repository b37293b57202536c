package httpclient

import (
	"math"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, seconds, ms, date string
		want                    time.Duration
		absent                  bool
	}{
		{name: "seconds", seconds: "7", want: 7 * time.Second},
		{name: "none", seconds: "0", want: 0},
		{name: "white space", seconds: " 7 ", want: 7 * time.Second},
		{name: "a decimal", seconds: "1.5", want: 1500 * time.Millisecond},
		{name: "milliseconds go first", seconds: "7", ms: "20", want: 20 * time.Millisecond},
		{name: "part of a millisecond", ms: "0.5", want: 500 * time.Microsecond},
		{name: "bad milliseconds don't", seconds: "7", ms: "x", want: 7 * time.Second},
		{name: "more than a Duration holds", seconds: "99999999999999999999", want: math.MaxInt64},
		{name: "more than a float holds", seconds: "1" + string(slices.Repeat([]byte("0"), 400)), want: math.MaxInt64},
		{name: "a date", seconds: "Sun, 22 Nov 2026 07:00:30 GMT", want: 30 * time.Second},
		{name: "a date of RFC 850", seconds: "Sunday, 22-Nov-26 07:00:30 GMT", want: 30 * time.Second},
		{name: "a date of C", seconds: "Sun Nov 22 07:00:30 2026", want: 30 * time.Second},
		{name: "a date by the server's clock", seconds: "Sun, 22 Nov 2026 06:00:30 GMT", date: "Sun, 22 Nov 2026 06:00:00 GMT", want: 30 * time.Second},
		{name: "a date gone by", seconds: "Sun, 22 Nov 2026 06:00:00 GMT", want: 0},
		{name: "nothing", absent: true},
		{name: "a word", seconds: "soon", absent: true},
		{name: "below zero", seconds: "-1", absent: true},
		{name: "an exponent", seconds: "1e3", absent: true},
		{name: "infinity", seconds: "Inf", absent: true},
		{name: "no number", ms: "NaN", absent: true},
		{name: "two points", seconds: "1.2.3", absent: true},
		{name: "a point", seconds: ".", absent: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{"Retry-After": {tc.seconds}, "Retry-After-Ms": {tc.ms}, "Date": {tc.date}}
			if d, ok := retryAfter(h, now); d != tc.want || ok == tc.absent {
				t.Errorf("got %v, %v, want %v", d, ok, tc.want)
			}
		})
	}
}

// The oracle computes exactly, with math/big. The last bits may differ, because a float64 is not
// exact.
func FuzzRetryAfter(f *testing.F) {
	const date = "Sun, 22 Nov 2026 07:00:30 GMT"
	for _, s := range []string{
		"7", " 7\t", "1.5", "0", "-1", "+1", "NaN", "Inf", "-Inf", "1e9", "0x10", "1_000", ".", "1.", ".5", "1.2.3", "soon", "７",
		"9223372036", "9223372037", "99999999999999999999", "1" + strings.Repeat("0", 400), "0." + strings.Repeat("0", 400) + "1", date,
		"Sunday, 22-Nov-26 07:00:30 GMT", "Sun Nov 22 07:00:30 2026", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
	} {
		f.Add(s, "", "")
		f.Add("7", s, date)
		f.Add(date, s, s)
	}
	now := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	exact := func(s string, unit time.Duration) (time.Duration, bool) {
		r, ok := new(big.Rat).SetString(strings.Trim(s, " \t"))
		if !regexp.MustCompile(`^[ \t]*(\d+\.?\d*|\.\d+)[ \t]*$`).MatchString(s) || !ok {
			return 0, false
		}
		r.Mul(r, big.NewRat(int64(unit), 1))
		up := new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1)))
		if up.Div(up, r.Denom()); !up.IsInt64() {
			return math.MaxInt64, true
		}
		return time.Duration(up.Int64()), true
	}
	f.Fuzz(func(t *testing.T, after, ms, date string) {
		if len(after)+len(ms) > 2000 {
			return // big.Rat takes its time
		}
		want, ok := exact(ms, time.Millisecond)
		if !ok {
			want, ok = exact(after, time.Second)
		}
		if at, err := http.ParseTime(after); !ok && err == nil {
			since := now
			if d, err := http.ParseTime(date); err == nil {
				since = d
			}
			want, ok = max(at.Sub(since), 0), true
		}
		h := http.Header{"Retry-After": {after}, "Retry-After-Ms": {ms}, "Date": {date}}
		got, there := retryAfter(h, now)
		if there != ok || got < 0 || (got-want).Abs() > want>>51+1 {
			t.Errorf("Retry-After %q, Retry-After-Ms %q, Date %q: got %v, %v, want %v, %v", after, ms, date, got, there, want, ok)
		}
	})
}
