package lock

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestParseReply(t *testing.T) {
	for _, tc := range []struct {
		name string
		v    any
		want reply
	}{
		{"not ours", int64(0), reply{status: statusNotOurs}},
		{"extended, stored, released", int64(1), reply{status: statusOK}},
		{"granted", plain, reply{status: statusOK, value: plain}},
		{"held", []any{int64(2), plain, int64(1500)}, reply{status: statusHeld, value: plain, left: 1500}},
		{"abandoned", []any{int64(3), plain}, reply{status: statusAbandoned, value: plain}},
		{"done", []any{int64(4), "Rx"}, reply{status: statusDone, value: "Rx"}},
		{"done, and long", []any{int64(5), int64(1 << 20)}, reply{status: statusDoneLong, size: 1 << 20}},
		{"already stored", int64(6), reply{status: statusAlreadyStored}},
		{"stored though missing", int64(7), reply{status: statusRestored}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := parseReply(tc.v); err != nil || got != tc.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

func TestParseReplyRefusesNonsense(t *testing.T) {
	for _, v := range []any{
		nil, "", "OK", 1, 1.0, true, []byte("1"), errors.New("ERR"), map[any]any{}, []string{"1"},
		int64(-1), int64(2), int64(5), int64(8), int64(math.MaxInt64),
		[]any{}, []any{nil}, []any{"1"}, []any{1}, []any{int64(0)}, []any{int64(-1)}, []any{int64(8)}, []any{int64(math.MinInt64), plain},
		[]any{[]any{int64(1)}}, []any{int64(5)}, []any{int64(5), "1048576"}, []any{int64(4), int64(7)},
		[]any{[]any{int64(1)}}, []any{int64(2), plain}, []any{int64(2), plain, int64(0)}, []any{int64(2), plain, "1"}, []any{int64(3)},
		[]any{int64(4), int64(1)}, []any{int64(4), "R", int64(1)}, []any{int64(5), "R"},
	} {
		if r, err := parseReply(v); err == nil || r != (reply{}) {
			t.Errorf("%#v: got %+v, %v, want an error", v, r, err)
		}
	}
}

// Whatever Redis answers, reading it doesn't panic, and what is accepted is one of the replies that
// the scripts' headers define.
func FuzzParseReply(f *testing.F) {
	for _, s := range []string{plain, "R x", "", "L1 "} {
		for n := range int64(9) {
			f.Add(uint8(n%5), n, s, n*1000)
		}
	}
	f.Add(uint8(3), int64(math.MinInt64), plain, int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, shape uint8, n int64, s string, left int64) {
		v := [...]any{n, s, []any{n}, []any{n, s}, []any{n, s, left}, []any{n, left, s}, []any{s, n}, []any{n, s, left, nil}, nil}[shape%9]
		r, err := parseReply(v)
		if err != nil {
			if r != (reply{}) {
				t.Errorf("%#v: refused, and yet %+v", v, r)
			}
			return
		}
		switch r.status {
		case statusNotOurs, statusAlreadyStored, statusRestored:
			if r != (reply{status: r.status}) {
				t.Errorf("%#v: %+v says more than a status", v, r)
			}
		case statusOK:
			if r.value != "" && !strings.HasPrefix(r.value, "L1 ") || r.left != 0 {
				t.Errorf("%#v: %+v is no grant", v, r)
			}
		case statusHeld:
			if r.left <= 0 {
				t.Errorf("%#v: %+v is a lease that is over", v, r)
			}
		case statusAbandoned, statusDone:
			if r.left != 0 {
				t.Errorf("%#v: %+v has a time", v, r)
			}
		case statusDoneLong:
			if r.value != "" || r.left != 0 {
				t.Errorf("%#v: %+v has a value that is to be fetched apart", v, r)
			}
		default:
			t.Errorf("%#v: no script answers %+v", v, r)
		}
	})
}
