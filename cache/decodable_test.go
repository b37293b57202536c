package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
)

type (
	Base      struct{ ID string }
	secretary string
	base      struct{ ID string }
	tagged    struct {
		A string `msgpack:"x"`
		B int    `msgpack:"x"`
	}
	node     struct{ Next *node }
	leaky    struct{ Secret secret }
	secret   string
	oneWay   struct{ S string }
	tree     map[string]any
	shadowed struct {
		base
		Base base
	}
)

// A secret can't be decoded from its own text, and the error of the attempt quotes it.
func (secret) MarshalText() ([]byte, error)       { return []byte("hunter2"), nil }
func (s *secret) UnmarshalText(b []byte) error    { return fmt.Errorf("what is %q?", b) }
func (oneWay) MarshalMsgpack() ([]byte, error)    { return []byte{0xc0, 0xc0}, nil }
func (o *oneWay) UnmarshalMsgpack(b []byte) error { return nil }

// Encode refuses what Decode would refuse. Each case is a way in which msgpack breaks that rule.
func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	ring := &node{}
	ring.Next = ring
	looped := tree{}
	looped["again"] = looped
	endless := []any{nil}
	endless[0] = endless
	type pointer *pointer
	var self pointer
	self = &self
	codec := newCodec(t, cache.Config{})
	for name, v := range map[string]any{
		"a map by numbers in an interface": struct{ Meta any }{map[int]string{1: "a"}},
		"such a map, deep":                 []any{map[string]any{"a": []any{map[uint8]bool{1: true}}}},
		"an interface with methods":        struct{ S fmt.Stringer }{time.Second},
		"such in a slice":                  []fmt.Stringer{time.Second},
		"a shadowed field of another type": struct {
			base
			ID int
		}{base{"inner"}, 1},
		"a shadowed field of the same type": struct {
			base
			ID string
		}{base{"inner"}, "outer"},
		"shadowed, behind a pointer": struct {
			*base
			ID []string
		}{&base{"inner"}, nil},
		"two fields of one name":           tagged{"a", 1},
		"such in an interface":             []any{tagged{"a", 1}},
		"such in a map":                    map[string]tagged{"a": {"a", 1}},
		"a number as large as a pointer":   struct{ P uintptr }{1},
		"one in an interface":              map[string]any{"a": []any{uintptr(1)}},
		"complex":                          struct{ C complex128 }{1},
		"a function":                       struct{ F func() }{func() {}},
		"a channel":                        make(chan int),
		"a text that can't be parsed":      url.URL{Scheme: "http", Host: "a b"},
		"a marshaler that writes too much": oneWay{"x"},
		"an address in an interface":       struct{ V any }{url.URL{Path: "/"}},
	} {
		value, err := codec.Encode(key, cache.Header{}, v)
		refused, ok := errors.AsType[*cache.EncodeError](err)
		if !ok || refused.Type != fmt.Sprintf("%T", v) || !strings.Contains(err.Error(), refused.Type) {
			t.Errorf("%s: got %q, %v, want an EncodeError", name, value, err)
		}
	}
	for name, v := range map[string]any{"a ring": ring, "a map in itself": looped, "a slice in itself": endless, "a pointer to itself": self} {
		if _, err := codec.Encode(key, cache.Header{}, v); !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := codec.Encode(key, cache.Header{}, leaky{})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the value is told: %v", err)
	}
	if _, err := codec.Encode(key, cache.Header{Tombstone: true}, nil); err != nil {
		t.Errorf("a tombstone: %v", err)
	}
}

// Encode accepts what Decode would accept, whatever its type.
func TestEncodeTakesWhatDecodeDoes(t *testing.T) {
	number, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	link := url.URL{Scheme: "https", Host: "example.com", Path: "/a", User: url.UserPassword("u", "p")}
	codec := newCodec(t, cache.Config{})
	for name, v := range map[string]any{
		"a URL":                        link,
		"a field that is one":          struct{ V url.URL }{link},
		"several":                      []url.URL{link, {Path: "/"}},
		"an array of them":             [2]url.URL{link, link},
		"a pointer to one":             struct{ V *url.URL }{&link},
		"none":                         struct{ V *url.URL }{},
		"a large number":               *number,
		"a field that is one, too":     struct{ N big.Int }{*number},
		"an address":                   map[netip.Addr]netip.Prefix{netip.MustParseAddr("::1"): netip.MustParsePrefix("10.0.0.0/8")},
		"an interface that holds none": struct{ S fmt.Stringer }{},
		"maps by names in interfaces":  map[string]any{"a": map[string]any{"b": []any{"c", nil, true, 1.5}}},
		"maps by numbers":              map[int]map[uint8]string{1: {2: "a"}},
		"embedded":                     struct{ base }{base{"a"}},
		"embedded, and beside it":      shadowed{base{"a"}, base{"b"}},
		"a list":                       &node{&node{&node{}}},
		"options": struct {
			A string `msgpack:"a,omitempty"`
			B []int  `msgpack:",as_array"`
			C int    `msgpack:"-"`
		}{B: []int{1}},
		"plain": struct {
			A [4]byte
			B []byte
			C map[string][]float32
			D *int64
			E time.Duration
			F bool
			g func()
		}{A: [4]byte{1}, B: []byte("b"), C: map[string][]float32{"c": {1}}, E: time.Second},
	} {
		record, err := codec.Open(key, encode(t, codec, cache.Header{}, v))
		if err != nil {
			t.Fatal(err)
		}
		want := reflect.ValueOf(v)
		if want.Kind() == reflect.Pointer {
			want = want.Elem()
		}
		got := reflect.New(want.Type())
		if err := record.Decode(got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), want.Interface()) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got.Elem(), err, want)
		}
	}
}

// Only types that need it are decoded for proof: a struct such as the adapters' records is proved
// by its type.
func TestEncodeKnowsMostTypes(t *testing.T) {
	codec := newCodec(t, cache.Config{CompressAbove: cache.Never})
	body := bytes.Repeat([]byte("x"), 64<<10)
	answer := &struct {
		Status  int                 `msgpack:"status"`
		Header  map[string][]string `msgpack:"header"`
		Body    []byte              `msgpack:"body"`
		Trailer map[string][]string `msgpack:"trailer,omitempty"`
		At      *time.Time
	}{Status: 200, Header: map[string][]string{"A": {"1"}}, Body: body}
	loose := &struct{ Body any }{body}
	for name, tc := range map[string]struct {
		v           any
		least, most uint64
	}{
		"known": {answer, 0, 100 << 10},
		"tried": {loose, 128 << 10, 1 << 20},
	} {
		took := uint64(math.MaxUint64)
		for range 20 { // for under the race detector a pool forgets at random
			before := allocated()
			if _, err := codec.Encode(key, cache.Header{}, tc.v); err != nil {
				t.Fatal(err)
			}
			took = min(took, allocated()-before)
		}
		if took < tc.least || took > tc.most {
			t.Errorf("%s: %d bytes allocated, want %d to %d", name, took, tc.least, tc.most)
		}
	}
}

// Put accepts what replay.Do accepts: both encode the address of a value.
func TestStoreEncodesTheAddress(t *testing.T) {
	type values struct {
		V url.URL
		N big.Int
		L []url.URL
	}
	want := values{V: url.URL{Path: "/v"}, L: []url.URL{{Path: "/l"}}}
	want.N.SetInt64(7)
	store := newStore[values](t, newFakeRedis())
	if err := store.Put(t.Context(), key, want, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, found, err := store.Get(t.Context(), key); !found || err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, %v, want %+v", got, found, err, want)
	}

	// And it refuses what could not be decoded into the store's type.
	numbers := newStore[any](t, newFakeRedis())
	if err := numbers.Put(t.Context(), key, map[int]int{1: 2}, time.Minute); err == nil {
		t.Error("stored what Get can't give back")
	}
}

// doc.go lists what comes back in another form, without an error. This test proves the list.
func TestWhatComesBackAsSomethingElse(t *testing.T) {
	away := time.FixedZone("away", 3600)
	codec := newCodec(t, cache.Config{})
	back := func(v, into any) {
		t.Helper()
		record, err := codec.Open(key, encode(t, codec, cache.Header{}, v))
		if err != nil {
			t.Fatal(err)
		}
		if err := record.Decode(into); err != nil {
			t.Fatal(err)
		}
	}

	var when time.Time
	noon := time.Date(2026, 1, 1, 12, 0, 0, 7, away)
	if back(noon, &when); !when.Equal(noon) || when.Location() != time.Local {
		t.Errorf("a time: got %v, want the same instant, in Local", when)
	}
	if back(time.Time{}.In(away), &when); !when.IsZero() || when.Location() != time.UTC {
		t.Errorf("no time: got %v, want it in UTC", when)
	}
	type hidden struct {
		Shown  int
		hidden int
	}
	var shown hidden
	if back(hidden{1, 2}, &shown); shown != (hidden{Shown: 1}) {
		t.Errorf("unexported: got %+v", shown)
	}
	type event struct {
		time.Time
		Note string
	}
	var e event
	if back(event{noon, "beside"}, &e); !e.Equal(noon) || e.Note != "" {
		t.Errorf("beside an embedded time: got %+v", e)
	}
	type point struct {
		X int
		Y any
	}
	var holder struct{ V any }
	for _, in := range []struct{ v, want any }{
		{point{1, [2]uint16{2, 3}}, map[string]any{"X": int8(1), "Y": []any{uint16(2), uint16(3)}}},
		{&point{}, map[string]any{"X": int8(0), "Y": nil}},
		{1000, uint16(1000)},
		{-1000, int16(-1000)},
		{time.Second, int64(time.Second)},
		{[]int{1}, []any{int8(1)}},
		{map[string]int{"a": 1}, map[string]any{"a": int8(1)}},
		{secretary("text"), "text"},
		{netip.MustParseAddr("127.0.0.1"), []byte{127, 0, 0, 1}},
		{errors.New("x"), map[string]any{}},
		{(*int)(nil), nil},
	} {
		holder.V = nil
		if back(struct{ V any }{in.v}, &holder); !reflect.DeepEqual(holder.V, in.want) {
			t.Errorf("%#v in an interface: got %#v, want %#v", in.v, holder.V, in.want)
		}
	}
	var failure struct{ Err error }
	if back(struct{ Err error }{fmt.Errorf("x: %w", errors.ErrUnsupported)}, &failure); failure.Err.Error() != "x: unsupported operation" || errors.Is(failure.Err, errors.ErrUnsupported) {
		t.Errorf("an error: got %#v", failure.Err)
	}
	type embedding struct{ *Base }
	var embeds embedding
	if back(embedding{}, &embeds); embeds.Base == nil || *embeds.Base != (Base{}) {
		t.Errorf("an embedded pointer that is nil: got %+v", embeds)
	}
	one := 1
	var two [2]*int
	if back([2]*int{&one, &one}, &two); two[0] == two[1] || *two[0] != 1 || *two[1] != 1 {
		t.Errorf("one pointer twice: got %v", two)
	}
}
