package cache_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cache"
)

// The flags of a record, as doc.go has them.
const (
	compressed = 1 << iota
	sealed
	tombstone
	origin
)

// frame writes the format of doc.go's table, independently of Encode, so that tests can have
// records that Encode would not write.
func frame(key string, flags byte, h cache.Header, payload []byte) string {
	b := []byte{'R', 1, flags, byte(len(h.Owner))}
	b = append(b, h.Owner...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Fence))
	b = append(b, byte(len(h.Fingerprint)))
	b = append(b, h.Fingerprint...)
	if flags&origin != 0 {
		b = append(append(b, byte(len(h.Origin))), h.Origin...)
	}
	return reseal(key, append(b, payload...))
}

// reseal adds the checksum to a record that has none.
func reseal(key string, b []byte) string {
	sum := crc32.Checksum(append([]byte(key), b...), crc32.MakeTable(crc32.Castagnoli))
	return string(binary.BigEndian.AppendUint32(b, sum))
}

// These are the bytes of format version 1. If this test fails, releases can no longer read each
// other's records: don't change the test, make a version 2.
func TestGolden(t *testing.T) {
	type small struct {
		Status int
		Body   []byte
	}
	h := cache.Header{Owner: "0a0b", Fence: 0x0102030405060708, Fingerprint: "fp"}
	const plain = "52" + "01" + "00" + // R, version, flags
		"04" + "30613062" + // owner
		"0102030405060708" + // fence
		"02" + "6670" + // fingerprint
		"82" + "a6" + "537461747573" + "cc" + "c9" + "a4" + "426f6479" + "c4" + "02" + "6869" + // payload
		"a5f8f3bd" // checksum
	const traced = "52" + "01" + "08" + // R, version, flags
		"04" + "30613062" + // owner
		"0102030405060708" + // fence
		"02" + "6670" + // fingerprint
		"03" + "000102" + // origin
		"82" + "a6" + "537461747573" + "cc" + "c9" + "a4" + "426f6479" + "c4" + "02" + "6869" + // payload
		"14721b6f" // checksum
	long := small{201, []byte(strings.Repeat("hi ", 100))}

	codec := newCodec(t, cache.Config{})
	if got := hex.EncodeToString([]byte(encode(t, codec, h, small{201, []byte("hi")}))); got != plain {
		t.Errorf("encoded\n%s, want\n%s", got, plain)
	}
	withOrigin := h
	withOrigin.Origin = "\x00\x01\x02"
	if got := hex.EncodeToString([]byte(encode(t, codec, withOrigin, small{201, []byte("hi")}))); got != traced {
		t.Errorf("encoded\n%s, want\n%s", got, traced)
	}

	// The bytes that S2 and AES-GCM write may change between releases; these must stay readable.
	both := newCodec(t, cache.Config{CompressAbove: 1, SealKeys: [][]byte{[]byte("0123456789abcdef")}, AcceptUnsealed: true})
	for name, tc := range map[string]struct {
		value string
		want  small
	}{
		"plain":            {plain, small{201, []byte("hi")}},
		"origin":           {traced, small{201, []byte("hi")}},
		"compressed":       {goldenCompressed, long},
		"sealed":           {goldenSealed, long},
		"sealed tombstone": {goldenTombstone, small{}},
	} {
		value, err := hex.DecodeString(tc.value)
		if err != nil {
			t.Fatal(err)
		}
		record, err := both.Open(key, string(value))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := h
		if name == "origin" {
			want = withOrigin
		}
		want.Tombstone = name == "sealed tombstone"
		if record.Header != want {
			t.Errorf("%s: header %+v", name, record.Header)
		}
		if record.Tombstone {
			continue
		}
		var got small
		if err := record.Decode(&got); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

const (
	goldenCompressed = "52010104306130620102030405060708026670" + "be025082a6537461747573ccc9a4426f6479c5012c686920110319001d00" + "289cf9ba"
	goldenSealed     = "52010304306130620102030405060708026670" + "d8f7d6be42b697f3a149a396" + // nonce
		"fc01773f93678cbf53f275110bc6f879f9436dfd8f9b8c2068f502ca9578" + "0d6026fbb65fa1a3eb1bc8e600ef99a6" + "2f81ff8c"
	goldenTombstone = "52010604306130620102030405060708026670" + "8e02952f8fb7370fec1eadd8" + "c09a188f2e8aee078dba486035ded05e" + "edd2ce1f"
)

// Whatever byte is lost or changed, the result is ErrCorrupt and never another value.
func TestDamage(t *testing.T) {
	for name, cfg := range configs {
		for _, dead := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, dead), func(t *testing.T) {
				codec := newCodec(t, cfg)
				h := cache.Header{Owner: owner, Fence: 7, Fingerprint: finger, Tombstone: dead, Origin: "trace"}
				value := encode(t, codec, h, newPayment())
				for n := range len(value) {
					_, err := codec.Open(key, value[:n])
					wantCorrupt(t, err, "")
				}
				for n := range len(value) {
					_, err := codec.Open(key, value[n+1:])
					wantCorrupt(t, err, "")
				}
				for _, more := range []string{"\x00", "R", "\xff", value} {
					_, err := codec.Open(key, value+more)
					wantCorrupt(t, err, "")
				}
				for bit := range 8 * len(value) {
					b := []byte(value)
					b[bit/8] ^= 1 << (bit % 8)
					_, err := codec.Open(key, string(b))
					wantCorrupt(t, err, "")
				}
			})
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	h := cache.Header{Owner: "o", Fingerprint: "f"}
	whole := frame(key, 0, h, []byte{0xc0})
	for _, tc := range []struct {
		name, value, reason string
	}{
		{"nothing", "", "the value is empty"},
		{"a claim of package lock", "L1 2 1732233600000000 86400000 fp owner", "begins with byte 0x4c"},
		{"JSON", `{"id":"secret"}`, "begins with byte 0x7b"},
		{"R alone", "R", "cut short, to length 1"},
		{"another version", "R\x02" + whole[2:], "format version 2"},
		{"version 0", "R\x00" + whole[2:], "format version 0"},
		{"a short header", "R\x01\x00\x00", "cut short, to length 4"},
		{"an unknown flag", frame(key, 1<<4, h, []byte{0xc0}), "unknown flags 0x10"},
		{"the highest flag", frame(key, 1<<7, h, []byte{0xc0}), "unknown flags 0x80"},
		{"an owner past the end", reseal(key, []byte("R\x01\x00\x3fabcdefghijklmnop")), "the header doesn't fit"},
		{"an owner over its bound", frame(key, 0, cache.Header{Owner: strings.Repeat("o", 65)}, []byte{0xc0}), "the header doesn't fit"},
		{"no room for the fence", reseal(key, []byte("R\x01\x00\x08abcdefgh1234567")), "the header doesn't fit"},
		{"a fingerprint past the end", reseal(key, []byte("R\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xffabc")), "the header doesn't fit"},
		{"an origin of no length", frame(key, origin, h, []byte{0xc0}), "the header doesn't fit"},
		{"an origin over its bound", frame(key, origin, cache.Header{Origin: strings.Repeat("t", 65)}, []byte{0xc0}), "the header doesn't fit"},
		{"an origin past the end", reseal(key, []byte("R\x01\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04abc")), "the header doesn't fit"},
		{"no origin at all", reseal(key, []byte("R\x01\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")), "the header doesn't fit"},
		{"the record of another key", frame(key+"0", 0, h, []byte{0xc0}), "the checksum differs"},
		{"sealed, and no keys", frame(key, sealed, h, make([]byte, 40)), "no seal keys"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := newCodec(t, cache.Config{}).Open(key, tc.value)
			wantCorrupt(t, err, tc.reason)
		})
	}
	if _, err := newCodec(t, cache.Config{}).Open(key, whole); err != nil {
		t.Fatalf("the base of the table isn't sound: %v", err)
	}
}
