// Package cache keeps Go values in Redis, each under its own key and for its own time:
//
//	quotes, err := cache.New[Quote](client, cache.Config{}) // client is any go-redis client
//	if err != nil {
//		return err
//	}
//	if err := quotes.Put(ctx, "quotes:GBPEUR", quote, 10*time.Minute); err != nil {
//		return err
//	}
//	quote, found, err := quotes.Get(ctx, "quotes:GBPEUR") // a miss is no error: found is false
//
// Get returns what Put stored under that very key, whole, or it fails with [ErrCorrupt]: it never
// returns the value of another key or half a value, and never takes what it can't read for a miss.
// Put refuses a value that nobody could read again ([EncodeError]); Values, below, lists what comes
// back in another form.
//
// A [Store] does this on any go-redis client. A [Codec] is the record format alone, for programs
// that store the bytes themselves. It reads in two steps: Open reads the header, Decode the value.
// The header of a record holds an owner, a fencing number, a fingerprint and an origin, which a
// Store leaves empty.
//
// # Values
//
// A record keeps what msgpack and the Go type can express. The following comes back in another
// form, without an error:
//
//   - A time.Time comes back as the same instant, to the nanosecond, in time.Local, without its
//     zone and its monotonic reading. The zero time comes back in UTC.
//   - Fields that are not exported, or are tagged msgpack:"-", are not kept.
//   - A type with a marshaler of its own (msgpack's, or encoding.BinaryMarshaler or TextMarshaler)
//     keeps what its marshaler writes. A struct that embeds such a type, a time.Time for example,
//     inherits the marshaler: the fields beside it are not kept.
//   - A value in an interface (any, map[string]any) keeps its kind and loses its Go type. Integers
//     come back by the width that they were encoded in, named types as their underlying types,
//     pointers as what they point to, structs and maps as map[string]any, slices and arrays as
//     []any, and what a marshaler of package encoding writes as []byte.
//   - An error, in a field of type error, comes back as an error of the same text.
//   - A pointer that is stored in two places comes back as two pointers. An embedded pointer that
//     is nil comes back as a pointer to a zero struct.
//   - With omitempty, a value whose IsZero method reports true comes back as the zero value.
//
// Encode refuses values that could be encoded but not decoded: a map in an interface whose keys are
// not strings, anything in a field of an interface type with methods, and two fields stored under
// one name, such as a field that shadows one of an embedded struct.
//
// # Limits
//
//   - Redis may forget: when it evicts, fails over, or restarts without its files.
//   - The checksum finds damage, not malice. Against whoever can write to Redis, use SealKeys, which
//     encrypt the payload and authenticate payload, header and key. The header is not encrypted,
//     lengths are not hidden (those of compressed payloads tell most), and an old record of the same
//     key that somebody puts back is not noticed.
//   - A record is bound to its key: after RENAME or COPY it is ErrCorrupt.
//   - The cost of reading a value is bounded before it is spent, whoever wrote the value and
//     whatever length it claims. A Store fetches no more than Config.MaxRecord. A payload
//     decompresses to MaxDecoded at most, and a compressed one holds at most 16,384 values and 16
//     more for each of its bytes. The memory of the Go type comes on top: a slice of large structs
//     costs what those cost, and a type with a msgpack decoder of its own is trusted.
//   - A payload is nested 128 levels deep at most, and has no msgpack extension but the timestamp.
//     Encode refuses fields tagged intern and types given to msgpack.RegisterExt.
//   - A Store must not share keys with package lock: Put and Delete would overwrite and remove a
//     claim without asking, and Get takes a claim, like any foreign value, for ErrCorrupt.
//
// # Format
//
// This is version 1, in order; numbers are big endian.
//
//	bytes   what
//	1       'R', 0x52
//	1       format version, 1
//	1       flags: 0x01 compressed, 0x02 sealed, 0x04 tombstone, 0x08 origin; the rest are 0
//	1       length of the owner, 0 to 64
//	n       owner
//	8       fence, signed
//	1       length of the fingerprint, 0 to 255
//	n       fingerprint
//	1       with the flag origin: its length, 1 to 64
//	n       with the flag origin: origin
//	n       payload; see below
//	4       CRC-32C of the Redis key and everything before
//
// The payload of a tombstone may be empty. Every other payload is one msgpack value, in which
// structs are maps by field name, so that releases with different fields read each other's records.
// A compressed payload is an S2 block of that value; the block begins with the length of its
// contents. A value with more parts than a compressed payload may hold stays uncompressed. Sealing
// comes after compression: a sealed payload is a nonce of 12 bytes, the AES-GCM ciphertext, and the
// tag of 16 bytes. Its additional data are the bytes before the payload, from 'R' on, and then the
// Redis key.
//
// A reader refuses what it doesn't know: another version, another flag, bytes after the end.
//
// # What belongs here
//
// This package owns the record: its format, versions, bounds and lifetime. It must not know who may
// write one: no locks, no requests, no HTTP. Its behaviour is tested beside the code (make
// test-cache), and on a real cluster in integration/cache_test.go.
package cache
