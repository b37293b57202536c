package cache_test

import (
	"bytes"
	"errors"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/reprise-go/reprise/cache"
)

// Any bytes are a record or ErrCorrupt, both as a whole value and as the payload of an otherwise
// valid record. Nothing panics, and nothing takes more memory than its bound.
func FuzzDecode(f *testing.F) {
	codecs := map[string]*cache.Codec{}
	for name, cfg := range configs {
		cfg.MaxDecoded = hostileMax
		codecs[name] = newCodec(f, cfg)
		value := encode(f, codecs[name], cache.Header{Owner: owner, Fence: 7, Fingerprint: finger}, newPayment())
		f.Add([]byte(value))
		f.Add([]byte(value[3+1+len(owner)+8+1+len(finger) : len(value)-4]))
		f.Add([]byte(encode(f, codecs[name], cache.Header{Origin: "trace"}, newPayment())))
	}
	for _, payload := range []string{
		"\xd7\xff\xdf\xff\xff\xff\xff\x00\x00\x00", "\x81\xa4Tags\xd7\xff\xdf\xff\xff\xff\xff\x00\x00\x00",
		"\x91\xdc\xff\xff", "\x81\x90\xc0", "\x91\xa1s", "\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
	} {
		f.Add([]byte(payload))
		f.Add(s2.Encode(nil, []byte(payload)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, codec := range codecs {
			for _, value := range []string{string(b), reseal(key, b)} {
				record, err := codec.Open(key, value)
				if err == nil {
					var v any
					err = record.Decode(&v)
				}
				if err != nil && !errors.Is(err, cache.ErrCorrupt) {
					t.Errorf("%v", err)
				}
			}
		}
		checkHostile(t, codecs["plain"], 0, b)
		checkHostile(t, codecs["plain"], compressed, b)
	})
}

// Every codec gives back what was put in.
func FuzzRoundTrip(f *testing.F) {
	f.Add("pay_01", int64(-1), int64(1732233600), int64(538435456), []byte("body"), 1.5, uint8(3))
	f.Add("", int64(1)<<40, int64(-1), int64(0), []byte(nil), 0.0, uint8(0))
	f.Fuzz(func(t *testing.T, s string, n, sec, nsec int64, body []byte, rate float64, depth uint8) {
		want := payment{
			ID: s, Amount: n, When: time.Unix(sec%(1<<33), nsec%1e9).UTC(), Body: body, Rate: rate,
			Tags: map[string]string{s: string(body)}, Parts: []part{{int8(n), rate > 0}}, Any: []any{s, nil},
		}
		if rate != rate {
			want.Rate = 0 // NaN isn't equal to itself
		}
		for range depth % 40 {
			inner := want
			want = payment{ID: s, Next: &inner}
		}
		h := cache.Header{Owner: s[:min(len(s), 64)], Fence: n, Fingerprint: s[:min(len(s), 255)], Tombstone: n < 0, Origin: string(body[:min(len(body), 64)])}
		for name, cfg := range configs {
			codec := newCodec(t, cfg)
			record, err := codec.Open(key, encode(t, codec, h, want))
			if err != nil || record.Header != h {
				t.Fatalf("%s: got %+v, %v", name, record.Header, err)
			}
			var got payment
			if err := record.Decode(&got); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !reflect.DeepEqual(normal(got), normal(want)) {
				t.Fatalf("%s:\ngot  %+v\nwant %+v", name, got, want)
			}
		}
	})
}

// normal removes differences that msgpack doesn't promise to keep: the location of a time, and nil
// against empty.
func normal(p payment) payment {
	if p.When.IsZero() {
		p.When = time.Time{}
	}
	p.When = p.When.UTC()
	p.Body = append([]byte{}, bytes.Clone(p.Body)...)
	if p.Next != nil {
		next := normal(*p.Next)
		p.Next = &next
	}
	return p
}

// Decode gives back what Encode accepts, for values of any shape in fields of interface types.
func FuzzEncodeAgain(f *testing.F) {
	for _, payload := range []string{
		"\x81\xa1a\x93\x01\xc0\xa1b", "\x81\x01\xa1a", "\x91\x81\xc3\xc0", "\xd6\xff\x00\x00\x00\x01", "\x82\xa1x\xa1a\xa1x\x01", "\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01",
	} {
		f.Add([]byte(payload), "text", int64(7))
	}
	codec := newCodec(f, cache.Config{MaxDecoded: hostileMax})
	f.Fuzz(func(t *testing.T, payload []byte, s string, n int64) {
		numbers := map[any]any{n: s, s: n}
		record, err := codec.Open(key, frame(key, 0, cache.Header{}, payload))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		_ = record.Decode(&v)
		for _, in := range []any{
			v, numbers, []any{v, numbers}, map[string]any{s: v}, struct {
				base
				V  any
				ID any
			}{base{s}, v, n}, struct{ E error }{errors.New(s)}, struct{ U *url.URL }{&url.URL{Host: s, Path: s}}, tagged{s, int(n)},
		} {
			if in == nil {
				continue
			}
			value, err := codec.Encode(key, cache.Header{}, in)
			if err != nil {
				continue
			}
			if record, err = codec.Open(key, string(value)); err != nil {
				t.Fatal(err)
			}
			if err := record.Decode(reflect.New(reflect.TypeOf(in)).Interface()); err != nil {
				t.Errorf("%#v: encoded, and %v", in, err)
			}
		}
	})
}
