package cache_test

import (
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cache"
)

// A label says what Open says, without keys and without the rest of the record.
func TestPeek(t *testing.T) {
	h := cache.Header{Owner: strings.Repeat("o", 64), Fence: 1 << 60, Fingerprint: strings.Repeat("f", 255)}
	long := strings.Repeat("compress me ", 1000)
	sealing := cache.Config{SealKeys: [][]byte{[]byte("0123456789abcdef")}}
	for name, tc := range map[string]struct {
		cfg       cache.Config
		tombstone bool
		value     any
		want      cache.Label
	}{
		"plain":      {value: "v", want: cache.Label{Version: 1}},
		"compressed": {value: long, want: cache.Label{Version: 1, Compressed: true}},
		"sealed":     {cfg: sealing, value: long, want: cache.Label{Version: 1, Compressed: true, Sealed: true}},
		"tombstone":  {tombstone: true, want: cache.Label{Version: 1}},
	} {
		h.Tombstone = tc.tombstone
		tc.want.Header = h
		value := encode(t, newCodec(t, tc.cfg), h, tc.value)
		head := value[:min(len(value), cache.MaxHeader)]
		got, err := cache.Peek(head)
		if err != nil || got != tc.want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, tc.want)
		}
		for n := range 13 + 64 + 255 {
			if _, err := cache.Peek(head[:n]); err == nil {
				t.Errorf("%s: %d bytes are a header", name, n)
			} else {
				wantCorrupt(t, err, "")
			}
		}
	}
}

func TestPeekRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ head, reason string }{
		"nothing":       {"", "empty"},
		"a claim":       {"L1 1 1 1 - 00", "begins with byte 0x4c"},
		"to come":       {"R\x02" + strings.Repeat("\x00", 20), "format version 2"},
		"unknown flags": {"R\x01\x80" + strings.Repeat("\x00", 20), "unknown flags 0x80"},
		"a long owner":  {"R\x01\x00\x41" + strings.Repeat("\x00", 100), "doesn't fit"},
		"a cut one":     {"R\x01\x00\x10" + strings.Repeat("\x00", 20), "doesn't fit"},
		"cut short":     {"R\x01\x00\x00", "cut short"},
	} {
		_, err := cache.Peek(tc.head)
		t.Log(name)
		wantCorrupt(t, err, tc.reason)
	}
}

func FuzzPeek(f *testing.F) {
	f.Add(frame("k", 0, cache.Header{Owner: "o", Fence: 1, Fingerprint: "f"}, []byte{0xc0}))
	f.Add("R\x01\x00\x00")
	f.Fuzz(func(t *testing.T, value string) {
		label, err := cache.Peek(value[:min(len(value), cache.MaxHeader)])
		r, openErr := newCodec(t, cache.Config{}).Open("k", value)
		if openErr == nil && (err != nil || label.Header != r.Header) {
			t.Errorf("Open says %+v, and Peek %+v, %v", r.Header, label, err)
		}
	})
}
