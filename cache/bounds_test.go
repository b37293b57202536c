package cache_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/reprise-go/reprise/cache"
)

// array returns the payload of an array of n equal values, which compresses to next to nothing.
func array(value string, n int) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(n))
	return s2.Encode(nil, append(b, strings.Repeat(value, n)...))
}

// The cost of a record follows the bytes that it has, not the values that it claims: a record of a
// hundred bytes may claim as many values as MaxDecoded allows, and must not get the memory for
// them.
func TestSmallRecordOfManyValues(t *testing.T) {
	codec := newCodec(t, cache.Config{})
	for name, tc := range map[string]struct {
		value  string
		target func() any
	}{
		"strings":    {"\xa0", func() any { return new([]string) }},
		"interfaces": {"\x81\xa0\x80", func() any { return new(any) }},
		"maps":       {"\x81\xa1A\x91\xa0", func() any { return new([]map[string][]string) }},
		"structs":    {"\x80", func() any { return new([]payment) }},
	} {
		payload := array(tc.value, 2<<20/(len(tc.value)+1))
		record, err := codec.Open(key, frame(key, compressed, cache.Header{}, payload))
		if err != nil {
			t.Fatal(err)
		}
		v := tc.target()
		before := allocated()
		err = record.Decode(v)
		took := allocated() - before
		if wantCorrupt(t, err, "values, at most"); !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("%s: %v is not ErrTooLarge", name, err)
		}
		// The payload itself, as long as MaxDecoded lets it be, and no values.
		if took > 17<<20 {
			t.Errorf("%s: %d bytes allocated for a record of %d", name, took, len(payload))
		}
		t.Logf("%s: %d bytes allocated for a record of %d", name, took, len(payload))
	}
}

// A list of many equal values, which compression would make too short to be accepted, is stored
// uncompressed: no reader refuses what Encode accepts.
func TestManyValuesAllTheSame(t *testing.T) {
	codec := newCodec(t, cache.Config{MaxDecoded: 1 << 20})
	random := rand.New(rand.NewPCG(1, 2))
	bits := make([]bool, 100_000)
	for i := range bits {
		bits[i] = random.IntN(2) == 0
	}
	for name, tc := range map[string]struct {
		v      []bool
		packed bool
	}{
		"few":         {make([]bool, 16_000), true},
		"many":        {make([]bool, 100_000), false},
		"as many":     {make([]bool, 128<<10-1), false},
		"not so same": {bits, true},
	} {
		value := encode(t, codec, cache.Header{}, tc.v)
		if packed := value[2]&compressed != 0; packed != tc.packed {
			t.Errorf("%s: compressed %v", name, packed)
		}
		record, err := codec.Open(key, value)
		if err != nil {
			t.Fatal(err)
		}
		var got []bool
		if err := record.Decode(&got); err != nil || !reflect.DeepEqual(got, tc.v) {
			t.Errorf("%s: %d values, %v", name, len(got), err)
		}
	}
}

// WithBounds limits writing and reading, and never raises a limit.
func TestWithBounds(t *testing.T) {
	codec := newCodec(t, cache.Config{MaxDecoded: 64 << 10})
	for name, tc := range map[string]struct {
		bounds cache.Bounds
		v      any
		want   *cache.TooLargeError
	}{
		"none":             {cache.Bounds{}, make([]byte, 60<<10), nil},
		"bytes":            {cache.Bounds{Bytes: 103}, strings.Repeat("x", 101), nil},
		"a byte more":      {cache.Bounds{Bytes: 102}, strings.Repeat("x", 101), &cache.TooLargeError{Unit: "bytes", Size: 103, Limit: 102}},
		"values":           {cache.Bounds{Values: 3}, []int{1, 2}, nil},
		"a value more":     {cache.Bounds{Values: 2}, []int{1, 2}, &cache.TooLargeError{Unit: "values", Size: 3, Limit: 2}},
		"looser in bytes":  {cache.Bounds{Bytes: 1 << 30}, make([]byte, 64<<10), &cache.TooLargeError{Unit: "bytes", Size: 64<<10 + 3 + 2, Limit: 64 << 10}},
		"looser in values": {cache.Bounds{Values: 1 << 30}, make([]bool, 8<<10), &cache.TooLargeError{Unit: "values", Size: 8<<10 + 1, Limit: 8 << 10}},
	} {
		within := codec.WithBounds(tc.bounds)
		_, err := within.Encode(key, cache.Header{}, tc.v)
		var large *cache.TooLargeError
		errors.As(err, &large)
		if !reflect.DeepEqual(large, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: writing got %v, want %v", name, err, tc.want)
		}
		value, err := newCodec(t, cache.Config{}).Encode(key, cache.Header{}, tc.v)
		if err != nil {
			t.Fatal(err)
		}
		record, err := within.Open(key, string(value))
		if err != nil {
			t.Fatal(err)
		}
		err = record.Decode(reflect.New(reflect.TypeOf(tc.v)).Interface())
		if errors.Is(err, cache.ErrTooLarge) != (tc.want != nil) || errors.Is(err, cache.ErrCorrupt) != (tc.want != nil) {
			t.Errorf("%s: reading got %v, want %v", name, err, tc.want)
		}
	}
}

// A value that is too long is not fetched whole to find that out, even if it grows meanwhile.
func TestStoreFetchesNoMoreThanARecord(t *testing.T) {
	fake := newFakeRedis()
	cfg := cache.Config{MaxDecoded: 1 << 10}
	store, err := cache.New[string](fake, cfg)
	if err != nil {
		t.Fatal(err)
	}
	fake.values[key] = strings.Repeat("x", 20<<20)
	before := allocated()
	_, found, err := store.Get(t.Context(), key)
	took := allocated() - before
	wantCorrupt(t, err, "longer than 1453 bytes")
	if large, ok := errors.AsType[*cache.TooLargeError](err); found || !ok || large.Size <= large.Limit || large.Limit != cfg.MaxRecord() {
		t.Errorf("got %v, %v", found, err)
	}
	if fake.fetched > 1500 || took > 1<<20 {
		t.Errorf("%d bytes fetched, %d allocated", fake.fetched, took)
	}
}

// No record is longer than MaxRecord, and MaxRecord is no more than Redis accepts.
func TestMaxRecord(t *testing.T) {
	h := cache.Header{Owner: strings.Repeat("o", 64), Fingerprint: strings.Repeat("f", 255), Origin: strings.Repeat("t", 64)}
	cfg := cache.Config{MaxDecoded: 1 << 10, CompressAbove: cache.Never, SealKeys: [][]byte{bytes.Repeat([]byte{1}, 32)}}
	value := encode(t, newCodec(t, cfg), h, strings.Repeat("x", 1<<10-3))
	if int64(len(value)) != cfg.MaxRecord() {
		t.Errorf("the longest record has %d bytes, MaxRecord is %d", len(value), cfg.MaxRecord())
	}
	if got := (cache.Config{}).MaxRecord(); got != 16<<20+429 {
		t.Errorf("by default it is %d", got)
	}
	if got := (cache.Config{MaxDecoded: 512 << 20}).MaxRecord(); got != 512<<20 {
		t.Errorf("at most it is %d", got)
	}
}

// GETRANGE has the same reply for a missing key and for an empty value, and the key may be written
// between the two commands of Get.
func TestStoreTellsAMissFromAnEmptyValue(t *testing.T) {
	fake := newFakeRedis()
	store := newStore[string](t, fake)
	if _, found, err := store.Get(t.Context(), key); found || err != nil || fake.calls != 2 {
		t.Errorf("a miss: %v, %v, %d calls", found, err, fake.calls)
	}
	fake.values[key] = ""
	_, _, err := store.Get(t.Context(), key)
	wantCorrupt(t, err, "the value is empty")

	late := &lateRedis{fakeRedis: newFakeRedis()}
	store = newStore[string](t, late)
	if err := store.Put(t.Context(), "other", "", time.Minute); err != nil {
		t.Fatal(err)
	}
	late.come = func() {
		if err := store.Put(t.Context(), key, "come", time.Minute); err != nil {
			t.Error(err)
		}
	}
	if v, found, err := store.Get(t.Context(), key); v != "come" || !found || err != nil {
		t.Errorf("a value that came meanwhile: %q, %v, %v", v, found, err)
	}
}
