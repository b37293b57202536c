package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
)

const (
	key    = "reprise:0123456789abcdef"
	owner  = "0123456789abcdef0123456789abcdef"
	finger = "\x00\xff sha256"
)

func newCodec(t testing.TB, cfg cache.Config) *cache.Codec {
	t.Helper()
	codec, err := cache.NewCodec(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// encode returns the record as Redis would return it.
func encode(t testing.TB, codec *cache.Codec, h cache.Header, v any) string {
	t.Helper()
	b, err := codec.Encode(key, h, v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantCorrupt fails the test unless err is a corruption that quotes nothing.
func wantCorrupt(t testing.TB, err error, reason string) {
	t.Helper()
	var corrupt *cache.CorruptError
	if !errors.Is(err, cache.ErrCorrupt) || !errors.As(err, &corrupt) || !strings.Contains(err.Error(), reason) {
		t.Fatalf("got %v, want ErrCorrupt with %q", err, reason)
	}
	if strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "secret") {
		t.Fatalf("the text quotes the key or the value: %v", err)
	}
}

type payment struct {
	ID     string
	Amount int64
	When   time.Time
	Tags   map[string]string
	Parts  []part
	Body   []byte
	Next   *payment
	Rate   float64
	Any    any
}

type part struct {
	N  int8
	On bool
}

func newPayment() payment {
	return payment{
		ID: "secret-01", Amount: math.MinInt64, When: time.Unix(1732233600, 538435456).UTC(),
		Tags: map[string]string{"a": "b", "": "empty"}, Parts: []part{{-1, true}, {}},
		Body: []byte(strings.Repeat("secret body ", 30)), Next: &payment{ID: "next", Parts: []part{}}, Rate: math.Inf(-1),
		Any: []any{"x", nil, true, map[string]any{}},
	}
}

func TestRoundTrip(t *testing.T) {
	headers := []cache.Header{
		{},
		{Owner: owner, Fence: 1732233600000000, Fingerprint: finger},
		{Owner: strings.Repeat("o", 64), Fence: math.MaxInt64, Fingerprint: strings.Repeat("f", 255), Tombstone: true},
		{Fence: math.MinInt64},
		{Origin: "\x00"},
		{Owner: owner, Fence: 1, Fingerprint: finger, Origin: strings.Repeat("\xff", 64), Tombstone: true},
	}
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			codec := newCodec(t, cfg)
			for _, h := range headers {
				record, err := codec.Open(key, encode(t, codec, h, newPayment()))
				if err != nil {
					t.Fatal(err)
				}
				if record.Header != h {
					t.Errorf("header %+v, want %+v", record.Header, h)
				}
				for range 2 { // a Record can be decoded twice
					var got payment
					if err := record.Decode(&got); err != nil {
						t.Fatal(err)
					}
					got.When = got.When.UTC()
					if want := newPayment(); !reflect.DeepEqual(got, want) {
						t.Fatalf("got  %+v\nwant %+v", got, want)
					}
				}
			}
		})
	}
}

// configs are the forms that a payload can take.
var configs = map[string]cache.Config{
	"plain":      {CompressAbove: cache.Never},
	"compressed": {CompressAbove: 1},
	"sealed":     {CompressAbove: cache.Never, SealKeys: [][]byte{bytes.Repeat([]byte{1}, 32)}},
	"both":       {CompressAbove: 1, SealKeys: [][]byte{bytes.Repeat([]byte{1}, 16)}},
}

func TestTombstone(t *testing.T) {
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			codec := newCodec(t, cfg)
			record, err := codec.Open(key, encode(t, codec, cache.Header{Fingerprint: finger, Tombstone: true}, nil))
			if err != nil || !record.Tombstone || record.Fingerprint != finger {
				t.Fatalf("got %+v, %v", record, err)
			}
			var v any
			wantCorrupt(t, record.Decode(&v), "no value")

			// Without the tombstone's flag, nil is a value like others.
			record, err = codec.Open(key, encode(t, codec, cache.Header{}, nil))
			if err != nil {
				t.Fatal(err)
			}
			got := &payment{ID: "before"}
			if err := record.Decode(&got); err != nil || got != nil {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
	var v any
	wantCorrupt(t, cache.Record{}.Decode(&v), "no value")
}

func TestInvalidArguments(t *testing.T) {
	codec := newCodec(t, cache.Config{})
	_, emptyKey := codec.Encode("", cache.Header{}, 1)
	_, openEmptyKey := codec.Open("", "R")
	_, longOwner := codec.Encode(key, cache.Header{Owner: strings.Repeat("o", 65)}, 1)
	_, longFingerprint := codec.Encode(key, cache.Header{Fingerprint: strings.Repeat("f", 256)}, 1)
	_, longOrigin := codec.Encode(key, cache.Header{Origin: strings.Repeat("t", 65)}, 1)
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"encode under no key": {emptyKey, `key: got "\"\"", want a Redis key`},
		"open under no key":   {openEmptyKey, `key: got "\"\"", want a Redis key`},
		"owner":               {longOwner, `Owner: got "65 bytes", want at most 64 bytes`},
		"fingerprint":         {longFingerprint, `Fingerprint: got "256 bytes", want at most 255 bytes`},
		"origin":              {longOrigin, `Origin: got "65 bytes", want at most 64 bytes`},
	} {
		var invalid *cache.ConfigError
		if !errors.As(tc.err, &invalid) || tc.err.Error() != tc.want {
			t.Errorf("%s: got %v, want %s", name, tc.err, tc.want)
		}
	}
	record, err := codec.Open(key, encode(t, codec, cache.Header{}, "v"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{nil, "v", (*string)(nil)} { // a bug of the caller's, and no fault of the record
		var invalid *cache.ConfigError
		if err := record.Decode(v); !errors.As(err, &invalid) || errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("into %T: got %v", v, err)
		}
	}
	for name, v := range map[string]any{"a channel": make(chan int), "a func inside": struct{ F func() }{func() {}}} {
		if _, err := codec.Encode(key, cache.Header{}, v); err == nil || errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Many goroutines may use one codec. The race detector has to find nothing.
func TestConcurrent(t *testing.T) {
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			codec := newCodec(t, cfg)
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() {
					for i := range 50 {
						want := strings.Repeat(fmt.Sprint(n, i), 1+n*i)
						b, err := codec.Encode(key, cache.Header{Fence: int64(i)}, want)
						if err != nil {
							t.Error(err)
							return
						}
						var got string
						if record, err := codec.Open(key, string(b)); err != nil || record.Decode(&got) != nil || got != want || record.Fence != int64(i) {
							t.Errorf("got %q, want %q, %v", got, want, err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// A reader that only compares the fingerprint pays for no copy.
func TestOpenAllocates(t *testing.T) {
	codec := newCodec(t, cache.Config{})
	value := encode(t, codec, cache.Header{Owner: owner, Fingerprint: finger, Origin: "trace"}, newPayment())
	if got := testing.AllocsPerRun(100, func() {
		if _, err := codec.Open(key, value); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("Open makes %v allocations, want none", got)
	}
}
