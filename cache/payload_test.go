package cache_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/vmihailenco/msgpack/v5"
)

func TestCompression(t *testing.T) {
	random := make([]byte, 10_000)
	rand.NewChaCha8([32]byte{}).Read(random)
	same := bytes.Repeat([]byte("same"), 2_500)
	for _, tc := range []struct {
		name  string
		above int64
		body  []byte
		want  bool
	}{
		{"repetitive, over the default", 0, same, true},
		{"repetitive, up to the default", 0, same[:2<<10-3], false}, // and 3 bytes of msgpack
		{"repetitive, a byte over it", 0, same[:2<<10-2], true},
		{"random: it would grow", 0, random, false},
		{"a tenth saved is too little", 0, append(same[:1_000:1_000], random[:9_000]...), false},
		{"a fifth is enough", 0, append(same[:2_000:2_000], random[:8_000]...), true},
		{"off", cache.Never, same, false},
		{"own threshold", 9_999, same, true},
		{"up to the own threshold", 10_003, same, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			value := encode(t, newCodec(t, cache.Config{CompressAbove: tc.above}), cache.Header{}, tc.body)
			if got := value[2]&compressed != 0; got != tc.want {
				t.Fatalf("compressed %v, want %v", got, tc.want)
			}
			if tc.want && len(value) > len(tc.body)*7/8 {
				t.Errorf("%d bytes of %d are left", len(value), len(tc.body))
			}
			// Whoever reads needn't have the writer's settings.
			record, err := newCodec(t, cache.Config{CompressAbove: cache.Never}).Open(key, value)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			if err := record.Decode(&got); err != nil || !bytes.Equal(got, tc.body) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// Fields come and go between releases that read each other's records.
func TestCompat(t *testing.T) {
	type older struct {
		Status int
		Body   []byte
	}
	type newer struct {
		Trailer map[string][]string
		Status  int
		Body    []byte
		At      time.Time
		More    struct{ Deep []any }
	}
	codec := newCodec(t, cache.Config{})

	fresh := newer{Trailer: map[string][]string{"a": {"b", "c"}}, Status: 201, Body: []byte("x"), At: time.Unix(1, 1)}
	fresh.More.Deep = []any{1, "x", map[string]any{"y": time.Unix(2, 2)}}
	record, err := codec.Open(key, encode(t, codec, cache.Header{}, fresh))
	if err != nil {
		t.Fatal(err)
	}
	var old older
	if err := record.Decode(&old); err != nil || !reflect.DeepEqual(old, older{201, []byte("x")}) {
		t.Errorf("an older reader got %+v, %v", old, err)
	}

	record, err = codec.Open(key, encode(t, codec, cache.Header{}, older{404, []byte("y")}))
	if err != nil {
		t.Fatal(err)
	}
	var got newer
	if err := record.Decode(&got); err != nil || !reflect.DeepEqual(got, newer{Status: 404, Body: []byte("y")}) {
		t.Errorf("a newer reader got %+v, %v", got, err)
	}
}

// Types with an encoding of their own.
func TestCustomEncodings(t *testing.T) {
	codec := newCodec(t, cache.Config{})
	raw, err := msgpack.Marshal(map[string]int{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	record, err := codec.Open(key, encode(t, codec, cache.Header{}, msgpack.RawMessage(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var got msgpack.RawMessage
	if err := record.Decode(&got); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("got %x, %v", got, err)
	}

	for name, v := range map[string]any{
		"no value at all":     msgpack.RawMessage{},
		"two values":          msgpack.RawMessage{1, 2},
		"a claim of more":     msgpack.RawMessage{0xdd, 0xff, 0xff, 0xff, 0xff},
		"a foreign extension": msgpack.RawMessage{0xd4, 5, 0},
		"interned strings": struct {
			A string `msgpack:",intern"`
			B string `msgpack:",intern"`
		}{"twice", "twice"},
	} {
		if _, err := codec.Encode(key, cache.Header{}, v); err == nil {
			t.Errorf("%s: encoded what can't be decoded", name)
		}
	}
}
