package cache_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/reprise-go/reprise/cache"
)

// answer is shaped like what an HTTP replay stores.
type answer struct {
	Status int
	Header []string
	Body   []byte
}

// newAnswer returns an answer of about so many bytes, the body being JSON with the variety that a
// list of payments has.
func newAnswer(size int) answer {
	rng := rand.New(rand.NewPCG(1, 2))
	var body bytes.Buffer
	for body.Len() < size {
		fmt.Fprintf(&body, `{"id":"pay_%016x","amount":%d,"currency":"GBP","status":"succeeded"},`, rng.Uint64(), rng.IntN(100000))
	}
	return answer{
		Status: 201,
		Header: []string{"Content-Type", "application/json", "Location", "/payments/pay_01"},
		Body:   body.Bytes()[:size],
	}
}

var header = cache.Header{Owner: "0123456789abcdef0123456789abcdef", Fence: 1732233600000000, Fingerprint: "sha256:0123456789abcdef0123456789abcdef"}

const benchKey = "reprise:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func BenchmarkCodec(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for _, mode := range []struct {
			name string
			cfg  cache.Config
		}{
			{"plain", cache.Config{CompressAbove: cache.Never}},
			{"compressed", cache.Config{CompressAbove: 1}},
			{"sealed", cache.Config{CompressAbove: cache.Never, SealKeys: [][]byte{make([]byte, 32)}}},
		} {
			codec, err := cache.NewCodec(mode.cfg)
			if err != nil {
				b.Fatal(err)
			}
			want := newAnswer(size)
			record, err := codec.Encode(benchKey, header, &want)
			if err != nil {
				b.Fatal(err)
			}
			value := string(record)

			b.Run(fmt.Sprintf("Encode/%dKiB/%s", size>>10, mode.name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := codec.Encode(benchKey, header, &want); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(value)), "record-bytes")
			})
			b.Run(fmt.Sprintf("OpenDecode/%dKiB/%s", size>>10, mode.name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					record, err := codec.Open(benchKey, value)
					if err != nil {
						b.Fatal(err)
					}
					var got answer
					if err := record.Decode(&got); err != nil || got.Status != 201 {
						b.Fatal(got.Status, err)
					}
				}
			})
			b.Run(fmt.Sprintf("Open/%dKiB/%s", size>>10, mode.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := codec.Open(benchKey, value); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
