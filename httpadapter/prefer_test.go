package httpadapter

import (
	"net/http"
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
