package cache_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/reprise-go/reprise/cache"
	"github.com/vmihailenco/msgpack/v5"
)

// targets are Go types for a payload to be decoded into, one for each way that msgpack goes about
// it.
var targets = map[string]func() any{
	"any":             func() any { return new(any) },
	"map of any":      func() any { return new(map[string]any) },
	"map of strings":  func() any { return new(map[string]string) },
	"map of bools":    func() any { return new(map[string]bool) },
	"map by ints":     func() any { return new(map[int]part) },
	"map by anything": func() any { return new(map[any]any) },
	"maps":            func() any { return new([]map[string]any) },
	"slice of any":    func() any { return new([]any) },
	"strings":         func() any { return new([]string) },
	"string":          func() any { return new(string) },
	"bytes":           func() any { return new([]byte) },
	"byte slices":     func() any { return new([][]byte) },
	"ints":            func() any { return new([]int64) },
	"structs":         func() any { return new([]part) },
	"array":           func() any { return new([4]int) },
	"byte array":      func() any { return new([4]byte) },
	"struct":          func() any { return new(payment) },
	"time":            func() any { return new(time.Time) },
	"times":           func() any { return new([]time.Time) },
	"duration":        func() any { return new(time.Duration) },
	"float":           func() any { return new(float32) },
	"bool":            func() any { return new(bool) },
	"raw":             func() any { return new(msgpack.RawMessage) },
	"interfaces":      func() any { return new([]fmt.Stringer) },
	"error":           func() any { return new(struct{ ID error }) },
	"text": func() any {
		return new(struct{ ID unmarshaled })
	},
}

type unmarshaled string

func (u *unmarshaled) UnmarshalMsgpack(b []byte) error { *u = unmarshaled(b); return nil }

const hostileMax = 64 << 10 // MaxDecoded of the tests with hostile payloads

// checkHostile decodes the payload into each target, and fails the test for a panic, an error of
// another kind, or more memory than the bound stands for: MaxDecoded, times what a value is in
// memory for the byte it can be in msgpack, twice that where a slice or a map has grown.
func checkHostile(t *testing.T, codec *cache.Codec, flags byte, payload []byte) {
	t.Helper()
	record, err := codec.Open(key, frame(key, flags, cache.Header{}, payload))
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range targets {
		v := target()
		before := allocated()
		err := record.Decode(v)
		took := allocated() - before
		if err != nil && !errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if most := uint64(32 * hostileMax); took > most {
			t.Errorf("%s: %d bytes allocated, at most %d (%v)", name, took, most, err)
		}
	}
}

// allocated returns the bytes allocated so far. It may lag behind by what each P has left of small
// objects, which is far below what it is compared with.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestHostilePayload(t *testing.T) {
	codec := newCodec(t, cache.Config{MaxDecoded: hostileMax})
	deep := func(open string, levels int, end string) []byte {
		return []byte(strings.Repeat(open, levels) + end)
	}
	full := func(value string, values int) []byte {
		b := binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(values))
		return append(b, strings.Repeat(value, values)...)
	}
	for _, tc := range []struct {
		name    string
		payload []byte
		reason  string // why it is refused for any target; empty if it is sound
	}{
		{"an array of 4 billion", []byte("\xdd\xff\xff\xff\xff"), "whole msgpack value"},
		{"a map of 4 billion", []byte("\xdf\xff\xff\xff\xff"), "whole msgpack value"},
		{"a string of 4 billion", []byte("\xdb\xff\xff\xff\xff"), "whole msgpack value"},
		{"bytes of 4 billion", []byte("\xc6\xff\xff\xff\xff"), "whole msgpack value"},
		{"an extension of 4 billion", []byte("\xc9\xff\xff\xff\xff\xff"), "extension types"},
		{"an array of 65535 in one", []byte("\x91\xdc\xff\xff"), "whole msgpack value"},
		{"a map of 65535 in a map", []byte("\x81\xa0\xde\xff\xff"), "whole msgpack value"},
		{"4 billion under a field's name", []byte("\x81\xa4Tags\xdf\xff\xff\xff\xff"), "whole msgpack value"},
		{"trailing bytes", []byte("\xc0\xc0"), "whole msgpack value"},
		{"the unused code", []byte("\xc1"), "whole msgpack value"},
		{"a foreign extension", []byte("\xd4\x05\x00"), "extension types"},
		{"one of a timestamp's length", []byte("\xd6\x05\x00\x00\x00\x00"), "extension types"},
		{"a timestamp of 3 bytes", []byte("\xc7\x03\xff\x00\x00\x00"), "extension types"},
		{"a timestamp of 4 billion bytes", []byte("\xc9\xff\xff\xff\xff\xff\x00\x00\x00\x00"), "extension types"},
		{"arrays 128 deep", deep("\x91", 127, "\xc0"), ""},
		{"arrays 129 deep", deep("\x91", 128, "\xc0"), "129 levels, at most 128"},
		{"maps 60000 deep", deep("\x81", 60_000, "\xc0"), "129 levels, at most 128"},
		{"maps in keys, deep", deep("\x81\x81", 25_000, "\xc0"), "129 levels, at most 128"},
		{"as many values as may be", full("\xc0", hostileMax/8-1), ""},
		{"one value more", full("\xc0", hostileMax/8), "8193 values, at most 8192"},
		{"as many empty maps", full("\x80", hostileMax/8-1), ""},
		{"as many maps of one", full("\x81\xc0\xc0", hostileMax/8/3-1), ""},
		{"as many empty strings", full("\xa0", hostileMax/8-1), ""},
		{"as many timestamps", full("\xd6\xff\x00\x00\x00\x00", hostileMax/8-1), ""},
		{"a byte more than may be", append([]byte("\xc6\x00\x00\xff\xfc"), make([]byte, hostileMax-4)...), "65537 bytes, at most 65536"},

		// DecodeMapLen takes the contents of an extension for a map.
		{"a map of 4 billion for a timestamp", []byte("\xd7\xff\xdf\xff\xff\xff\xff\x00\x00\x00"), ""},
		{"an array of 4 billion in a map for one", []byte("\xd7\xff\x81\xa0\xdd\xff\xff\xff\xff\x00"), ""},
		{"a map of 15 in 4 bytes of timestamp", []byte("\xd6\xff\x8f\xa0\xa0\xa0"), ""},
		{"a map of 4 billion for 12 bytes", []byte("\xc7\x0c\xff\xdf\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00"), ""},
		{"the same under a field's name", []byte("\x81\xa4Tags\xd7\xff\xdf\xff\xff\xff\xff\x00\x00\x00"), ""},
		{"the same in an array", []byte("\x92\xd6\xff\x00\x00\x00\x00\xd7\xff\xdf\xff\xff\xff\xff\x00\x00\x00"), ""},

		// What makes msgpack panic for some targets.
		{"an array for a map's key", []byte("\x81\x90\xc0"), ""},
		{"a string for a Stringer", []byte("\x91\xa1s"), ""},
		{"a number for an error", []byte("\x81\xa2ID\x05"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkHostile(t, codec, 0, tc.payload)
			record, err := codec.Open(key, frame(key, 0, cache.Header{}, tc.payload))
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := record.Decode(&v); tc.reason != "" {
				wantCorrupt(t, err, tc.reason)
			} else if err != nil && !strings.Contains(err.Error(), "doesn't fit the Go type") {
				t.Fatal(err)
			}
		})
	}
}

// What is bounded when reading is bounded when writing, so nothing is stored that nobody can read.
func TestTooLarge(t *testing.T) {
	var deep any
	for range 128 {
		deep = []any{deep}
	}
	codec := newCodec(t, cache.Config{MaxDecoded: hostileMax})
	for _, tc := range []struct {
		name string
		v    any
		want cache.TooLargeError
	}{
		{"bytes", make([]byte, hostileMax), cache.TooLargeError{Unit: "bytes", Size: hostileMax + 5, Limit: hostileMax}},
		{"values", make([]bool, hostileMax/8), cache.TooLargeError{Unit: "values", Size: hostileMax/8 + 1, Limit: hostileMax / 8}},
		{"levels", deep, cache.TooLargeError{Unit: "levels", Size: 129, Limit: 128}},
	} {
		_, err := codec.Encode(key, cache.Header{}, tc.v)
		var large *cache.TooLargeError
		if !errors.Is(err, cache.ErrTooLarge) || !errors.As(err, &large) || *large != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, err, &tc.want)
		}
	}
	for name, v := range map[string]any{"bytes": make([]byte, hostileMax-5), "values": make([]bool, hostileMax/8-1), "levels": deep.([]any)[0]} {
		record, err := codec.Open(key, encode(t, codec, cache.Header{}, v))
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := record.Decode(&got); err != nil {
			t.Errorf("%s: written, and not read: %v", name, err)
		}
	}

	// Machines with a lower bound than the writer's say so.
	record, err := newCodec(t, cache.Config{MaxDecoded: 1 << 10}).Open(key, encode(t, codec, cache.Header{}, make([]byte, 2<<10)))
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	err = record.Decode(&got)
	wantCorrupt(t, err, "2051 bytes, at most 1024")
	if !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("%v is not ErrTooLarge", err)
	}
}

func TestHostileCompression(t *testing.T) {
	codec := newCodec(t, cache.Config{MaxDecoded: hostileMax})
	bomb := s2.Encode(nil, make([]byte, 64<<20))
	t.Logf("the bomb is %d bytes", len(bomb))
	packed := s2.Encode(nil, append([]byte("\xc5\x03\xe8"), bytes.Repeat([]byte("hi "), 1000)[:1000]...))
	_, lenLen := binary.Uvarint(packed)
	for _, tc := range []struct {
		name    string
		payload []byte
		reason  string
	}{
		{"sound", packed, ""},
		{"a bomb of 64 MiB", bomb, "67108864 bytes, at most 65536"},
		{"a claim of 4 billion", []byte("\xff\xff\xff\xff\x0f\x00"), "4294967295 bytes, at most 65536"},
		{"a claim of more than that", bytes.Repeat([]byte{0xff}, 12), "doesn't say its size"},
		{"a claim of less than there is", append(binary.AppendUvarint(nil, 10), packed[lenLen:]...), "doesn't decompress"},
		{"a claim of more than there is", append(binary.AppendUvarint(nil, 60_000), packed[lenLen:]...), "doesn't decompress"},
		{"cut short", packed[:len(packed)-1], "doesn't decompress"},
		{"longer", append(packed[:len(packed):len(packed)], 0), "doesn't decompress"},
		{"nothing in it", s2.Encode(nil, nil), "whole msgpack value"},
		{"not msgpack", s2.Encode(nil, []byte("hello")), "whole msgpack value"},
		{"not compressed at all", []byte("\xc0"), "doesn't say its size"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkHostile(t, codec, compressed, tc.payload)
			record, err := codec.Open(key, frame(key, compressed, cache.Header{}, tc.payload))
			if err != nil {
				t.Fatal(err)
			}
			var v []byte
			if err := record.Decode(&v); tc.reason != "" {
				wantCorrupt(t, err, tc.reason)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A payload that fits one type and not another is no answer for the other.
func TestMisfit(t *testing.T) {
	codec := newCodec(t, cache.Config{})
	record, err := codec.Open(key, encode(t, codec, cache.Header{}, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	err = record.Decode(&n)
	wantCorrupt(t, err, "doesn't fit the Go type")
	var corrupt *cache.CorruptError
	if errors.As(err, &corrupt); corrupt.Err == nil || !errors.Is(err, corrupt.Err) {
		t.Errorf("what msgpack said is lost: %#v", corrupt)
	}
	var when time.Time // whose parser quotes what it can't parse
	wantCorrupt(t, record.Decode(&when), "doesn't fit the Go type")

	// The pooled decoder that failed must not spoil the next one.
	var s string
	if err := record.Decode(&s); err != nil || s != "secret" {
		t.Errorf("got %q, %v", s, err)
	}
}
