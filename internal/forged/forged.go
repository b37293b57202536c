// Package forged puts records into Redis that no engine would write, for the tests of what adapters
// make of them.
package forged

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/reprise-go/reprise/cache"
)

// Compressed is the flag of a payload that is packed with S2.
const Compressed = 1

// A Redis is what these tests need of a miniredis.
type Redis interface {
	Keys() []string
	Get(key string) (string, error)
	Set(key, value string) error
}

// Record replaces the only record in Redis by one of answer, with the same header.
func Record(t testing.TB, redis Redis, answer map[string]any) {
	t.Helper()
	key, header := only(t, redis)
	value, err := codec(t).Encode(key, header, answer)
	if err != nil {
		t.Fatal(err)
	}
	set(t, redis, key, value)
}

// Payload replaces the only record in Redis by one with these flags and this payload, whatever they
// are, and with the same header and a right checksum.
func Payload(t testing.TB, redis Redis, flags byte, payload []byte) {
	t.Helper()
	key, h := only(t, redis)
	b := append([]byte{'R', 1, flags, byte(len(h.Owner))}, h.Owner...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Fence))
	b = append(append(b, byte(len(h.Fingerprint))), h.Fingerprint...)
	b = append(b, payload...)
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, b)
	set(t, redis, key, binary.BigEndian.AppendUint32(b, sum))
}

func only(t testing.TB, redis Redis) (string, cache.Header) {
	t.Helper()
	keys := redis.Keys()
	if len(keys) != 1 {
		t.Fatalf("Redis holds %q, want one key", keys)
	}
	value, err := redis.Get(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	record, err := codec(t).Open(keys[0], value)
	if err != nil {
		t.Fatal(err)
	}
	return keys[0], record.Header
}

func set(t testing.TB, redis Redis, key string, value []byte) {
	t.Helper()
	if err := redis.Set(key, string(value)); err != nil {
		t.Fatal(err)
	}
}

func codec(t testing.TB) *cache.Codec {
	t.Helper()
	c, err := cache.NewCodec(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
