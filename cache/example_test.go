package cache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/reprise-go/reprise/cache"
)

type quote struct {
	Pair string
	Rate float64
}

func Example() {
	ctx := context.Background()
	client := newFakeRedis() // a program passes its go-redis client
	quotes, err := cache.New[quote](client, cache.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A miss is not an error: an error means that nobody knows whether there is a value.
	_, found, err := quotes.Get(ctx, "quotes:GBPEUR")
	fmt.Println(found, err)

	if err := quotes.Put(ctx, "quotes:GBPEUR", quote{"GBPEUR", 1.17}, 10*time.Minute); err != nil {
		fmt.Println(err)
		return
	}
	got, found, err := quotes.Get(ctx, "quotes:GBPEUR")
	fmt.Println(got, found, err)
	// Output:
	// false <nil>
	// {GBPEUR 1.17} true <nil>
}

// A Codec reads in two steps: the header says which request a record answers, and only then is the
// answer decoded.
func ExampleCodec() {
	codec, err := cache.NewCodec(cache.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	type receipt struct {
		ID     string
		Amount int
	}
	const key = "receipts:01"
	header := cache.Header{Fingerprint: "f00d"}
	value, err := codec.Encode(key, header, receipt{ID: "pay_01", Amount: 1999})
	if err != nil {
		fmt.Println(err)
		return
	}

	record, err := codec.Open(key, string(value))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(record.Fingerprint)
	var got receipt
	if err := record.Decode(&got); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", got)

	// A record is valid under its own key alone, and only as a whole.
	_, err = codec.Open("receipts:02", string(value))
	fmt.Println(errors.Is(err, cache.ErrCorrupt))
	_, err = codec.Open(key, string(value[:20]))
	fmt.Println(errors.Is(err, cache.ErrCorrupt))
	// Output:
	// f00d
	// {ID:pay_01 Amount:1999}
	// true
	// true
}

// The first seal key seals, and each of them opens. To rotate, add the new key as the last one on all
// machines, then move it to the front, and drop the old one when its last record has expired.
func ExampleConfig_sealKeys() {
	oldKey, newKey := []byte("0123456789abcdef"), []byte("fedcba9876543210") // 16 bytes: AES-128
	codec := func(keys ...[]byte) *cache.Codec {
		c, err := cache.NewCodec(cache.Config{SealKeys: keys})
		if err != nil {
			panic(err)
		}
		return c
	}
	value, err := codec(oldKey).Encode("key", cache.Header{}, "a secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	for step, c := range []*cache.Codec{codec(oldKey, newKey), codec(newKey, oldKey), codec(newKey)} {
		_, err := c.Open("key", string(value))
		fmt.Printf("step %d: %v\n", step+1, err)
	}
	// Output:
	// step 1: <nil>
	// step 2: <nil>
	// step 3: cache: corrupt record: it is sealed, and no key opens it
}

func ExampleFromEnv() {
	config, err := cache.FromEnv("REPRISE_", os.Environ())
	if err != nil {
		fmt.Println(err) // every faulty variable, and what it accepts
		return
	}
	_, err = cache.New[quote](newFakeRedis(), config)
	fmt.Println(err)
	// Output: <nil>
}

// All faults are reported at once. Seal keys are never repeated.
func ExampleFromEnv_faults() {
	_, err := cache.FromEnv("REPRISE_", []string{
		"REPRISE_CACHE_COMPRESS_ABOVE=off",
		"REPRISE_CACHE_MAX_DECODED=16MB",
		"REPRISE_CACHE_SEAL_KEYS=aHVudGVyMg==",
	})
	fmt.Println(err)
	// Output:
	// REPRISE_CACHE_MAX_DECODED: got "16MB", want a size from 1KiB to 512MiB
	// REPRISE_CACHE_SEAL_KEYS: want AES keys of 16, 24 or 32 bytes, each once, the sealing one first, in base64, separated by commas
}

// The text of an error quotes nothing that is stored, so it may be logged.
func ExampleCorruptError() {
	codec, err := cache.NewCodec(cache.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = codec.Open("receipts:01", "L1 1 1732233600000000 86400000 f00d 5eed")
	fmt.Println(err)
	// Output:
	// cache: corrupt record: not a record: the value begins with byte 0x4c
}
