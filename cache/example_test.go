package cache_test

import (
	"errors"
	"fmt"

	"github.com/reprise-go/reprise/cache"
)

func Example() {
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

	value, err := codec.Encode(key, cache.Header{Fingerprint: "f00d"}, receipt{ID: "pay_01", Amount: 1999})
	if err != nil {
		fmt.Println(err)
		return
	}

	// Reading goes in two steps: what is it an answer to, and then the answer.
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

	// A record is one under its own key alone, and whole or not at all.
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

func ExampleFromEnv() {
	_, err := cache.FromEnv("REPRISE_", []string{
		"REPRISE_CACHE_COMPRESS_ABOVE=off",
		"REPRISE_CACHE_MAX_DECODED=16MB",
		"REPRISE_CACHE_SEAL_KEYS=aHVudGVyMg==",
	})
	fmt.Println(err)
	// Output:
	// REPRISE_CACHE_MAX_DECODED: got "16MB", want a size from 1KiB to 512MiB
	// REPRISE_CACHE_SEAL_KEYS: want AES keys of 16, 24 or 32 bytes in base64, separated by commas, the sealing one first
}

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
