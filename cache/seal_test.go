package cache_test

import (
	"bytes"
	"testing"

	"github.com/reprise-go/reprise/cache"
)

var (
	keyA = bytes.Repeat([]byte{0xa}, 32)
	keyB = bytes.Repeat([]byte{0xb}, 16)
)

func TestSealKeys(t *testing.T) {
	h := cache.Header{Owner: owner, Fence: 7, Fingerprint: finger, Origin: "trace"}
	config := func(accept bool, keys ...[]byte) cache.Config {
		return cache.Config{SealKeys: keys, AcceptUnsealed: accept}
	}
	for _, tc := range []struct {
		name          string
		write, read   cache.Config
		reason        string // empty if it is read
		writtenSealed bool
	}{
		{"one key", config(false, keyA), config(false, keyA), "", true},
		{"rotation, the new key is known", config(false, keyA), config(false, keyA, keyB), "", true},
		{"rotation, the new key seals", config(false, keyB, keyA), config(false, keyA, keyB), "", true},
		{"rotation, the old key is gone", config(false, keyA), config(false, keyB), "no key opens it", true},
		{"the reader has no keys", config(false, keyA), config(false), "no seal keys", true},
		{"unsealed, the reader insists", config(false), config(false, keyA), "isn't sealed", false},
		{"unsealed, the reader is lenient", config(false), config(true, keyA), "", false},
		{"the lenient seal all the same", config(true, keyA), config(false, keyA), "", true},
	} {
		for _, dead := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				h.Tombstone = dead
				value := encode(t, newCodec(t, tc.write), h, "secret")
				if got := value[2]&sealed != 0; got != tc.writtenSealed {
					t.Fatalf("sealed %v, want %v", got, tc.writtenSealed)
				}
				if tc.writtenSealed && bytes.Contains([]byte(value), []byte("secret")) {
					t.Fatal("the secret stands in the clear")
				}
				record, err := newCodec(t, tc.read).Open(key, value)
				if tc.reason != "" {
					wantCorrupt(t, err, tc.reason)
					return
				}
				if err != nil || record.Header != h {
					t.Fatalf("got %+v, %v", record.Header, err)
				}
				var got string
				if err := record.Decode(&got); err != nil || got != "secret" {
					t.Fatalf("got %q, %v", got, err)
				}
			})
		}
	}
}

// Whoever can write to Redis can forge the checksum, but not the seal: a sealed payload doesn't
// open under another header or key.
func TestSealBinds(t *testing.T) {
	const mended = "another key"
	h := cache.Header{Owner: owner, Fence: 7, Fingerprint: finger}
	codec := newCodec(t, cache.Config{SealKeys: [][]byte{keyA}})
	value := encode(t, codec, h, "secret")
	payload := []byte(value[3+1+len(owner)+8+1+len(finger) : len(value)-4])
	if _, err := codec.Open(key, frame(key, sealed, h, payload)); err != nil {
		t.Fatalf("the frame isn't sound: %v", err)
	}

	longer, fence, moved, traced := h, h, h, h
	longer.Owner += finger[:1]
	fence.Fence++
	moved.Owner, moved.Fingerprint = h.Fingerprint, h.Owner
	traced.Origin = "trace"
	flipped := bytes.Clone(payload)
	flipped[len(flipped)-1] ^= 1
	for name, tc := range map[string]struct{ key, value string }{
		"another key":          {mended, frame(mended, sealed, h, payload)},
		"another owner":        {key, frame(key, sealed, longer, payload)},
		"another fence":        {key, frame(key, sealed, fence, payload)},
		"fields swapped":       {key, frame(key, sealed, moved, payload)},
		"made a tombstone":     {key, frame(key, sealed|tombstone, h, payload)},
		"given an origin":      {key, frame(key, sealed|origin, traced, payload)},
		"said to be packed":    {key, frame(key, sealed|compressed, h, payload)},
		"another payload":      {key, frame(key, sealed, h, flipped)},
		"a payload cut short":  {key, frame(key, sealed, h, payload[:len(payload)-1])},
		"a nonce and no more":  {key, frame(key, sealed, h, payload[:12])},
		"nothing":              {key, frame(key, sealed, h, nil)},
		"said to be unsealed":  {key, frame(key, 0, h, payload)},
		"in the clear instead": {key, frame(key, 0, h, []byte("\xa6forged"))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := codec.Open(tc.key, tc.value)
			wantCorrupt(t, err, "sealed")
		})
	}
}

// Two records of one value have nothing in common but their length.
func TestSealNonce(t *testing.T) {
	codec := newCodec(t, cache.Config{SealKeys: [][]byte{keyA}})
	seen := map[string]bool{}
	for range 100 {
		value := encode(t, codec, cache.Header{}, "secret")
		nonce := value[13:25]
		if seen[nonce] {
			t.Fatal("a nonce was used twice")
		}
		seen[nonce] = true
	}
}
