// Package cache keeps Go values in Redis, each under a key of its own for a time
// of its own, as records that say what they are. What comes back is what was put
// there, whole and under the key it was put there for, or it is [ErrCorrupt]: not
// the value of another key or time, and not a miss. What a record can't say, Encode
// refuses ([EncodeError]); what it says in other words is listed under Values.
//
// A [Store] is such a cache on any go-redis client. A [Codec] is the record
// format alone, for those who store the bytes themselves, and reads in two steps:
// Open the header, then Decode the payload; Example shows both. A record carries an
// owner, a fencing number and a fingerprint in its header, which a Store leaves
// empty.
//
// # Values
//
// A record keeps what msgpack and the Go type can say. This comes back as something
// else, without an error:
//
//   - A time.Time is the same instant, to the nanosecond, in time.Local: its zone and
//     its monotonic reading are gone. The zero time is in UTC.
//   - Fields that aren't exported, or are tagged msgpack:"-", are not kept.
//   - A type with a marshaler of its own (msgpack's, or encoding.BinaryMarshaler or
//     TextMarshaler) is what that makes of it. A struct that embeds one, such as a
//     time.Time, has its marshaler: the fields beside it are not kept.
//   - In an interface (any, map[string]any), a record says what kind of value it is,
//     and not of which Go type. Integers come back by the width they were encoded in,
//     named types as what they are made of, pointers as what they point to, structs and
//     maps as map[string]any, slices and arrays as []any, what a marshaler
//     of encoding makes as []byte.
//   - An error, in a field of type error, is one of the same text.
//   - A pointer in two places is two pointers. An embedded pointer that is nil points
//     to a zero struct.
//   - With omitempty, what has an IsZero method that says so is the zero value.
//
// Encode refuses what can be encoded and not decoded again: other maps than by string
// in an interface, anything in a field of an interface type with methods, two fields
// that are stored under one name (such as a field that shadows an embedded struct's).
//
// # Limits
//
//   - Redis may forget: when it evicts, fails over, or restarts without its files.
//   - The checksum finds damage, not malice. Against those who can write to Redis
//     use SealKeys, which encrypt the payload and authenticate payload, header and
//     key. The header isn't encrypted, lengths aren't hidden (compressed ones
//     least of all), and an old record of the same key put back is not noticed.
//   - A record is bound to its key: RENAME and COPY make it ErrCorrupt.
//   - What reading a value costs is bounded before it is spent, whoever wrote the value
//     and whatever it claims to be. A Store fetches no more than Config.MaxRecord. A
//     payload decompresses to at most Config.MaxDecoded, and a compressed one has at
//     most 16,384 values and 16 more for each of its bytes. What the Go type adds comes
//     on top: a slice of large structs costs what they cost, and a type with a msgpack
//     decoder of its own is trusted with what it does.
//   - A payload is nested at most 128 deep and has no msgpack extension but the
//     timestamp; fields tagged intern and types given to msgpack.RegisterExt are
//     refused by Encode.
//   - A store and package lock don't share keys: Put and Delete don't ask whether
//     a claim is there, and Get finds it ErrCorrupt, as any foreign value.
//
// # Format
//
// Version 1, in this order; numbers are big endian.
//
//	bytes   what
//	1       'R', 0x52
//	1       format version, 1
//	1       flags: 0x01 compressed, 0x02 sealed, 0x04 tombstone; the rest are 0
//	1       length of the owner, 0 to 64
//	n       owner
//	8       fence, signed
//	1       length of the fingerprint, 0 to 255
//	n       fingerprint
//	n       payload; see below
//	4       CRC-32C of the Redis key and everything before
//
// The payload of a tombstone may be empty. Any other is one msgpack value, structs
// being maps by field name, so that fields may come and go between releases that
// read each other's records. Compressed, it is an S2 block, which begins with the
// length of what is in it; a payload of more values than may be compressed is left
// as it is. Sealed, after that, it is a nonce of 12 bytes, the
// AES-GCM ciphertext, and the tag of 16 bytes; the additional data are the bytes
// before the payload, from 'R' on, and the Redis key.
//
// A reader refuses what it doesn't know: another version, another flag, bytes left
// over.
//
// # What belongs here
//
// This package owns the record: its format, its versions, its bounds, and how long it
// is kept. It must not know who may write one: no lock, no request, no answer.
package cache
