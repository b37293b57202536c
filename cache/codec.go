package cache

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// A Codec is the record format without Redis, for those who store the bytes
// themselves. It is safe for concurrent use.
type Codec struct {
	compressAbove int64
	bounds        Bounds
	maxRecord     int64
	seal          sealer
}

// Bounds are what a payload may be, before compression and after decompression.
type Bounds struct {
	Bytes  int64 // its length
	Values int64 // the number of msgpack values in it
}

// NewCodec returns a Codec, or an error that names every fault of cfg.
func NewCodec(cfg Config) (*Codec, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	cfg = cfg.WithDefaults()
	seal, err := newSealer(cfg.SealKeys, cfg.AcceptUnsealed)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &Codec{
		compressAbove: cfg.CompressAbove,
		bounds:        Bounds{Bytes: cfg.MaxDecoded, Values: cfg.MaxDecoded / bytesPerValue},
		maxRecord:     cfg.MaxRecord(),
		seal:          seal,
	}, nil
}

// Within returns a Codec that keeps b too, where it is tighter than MaxDecoded: for values that are known
// to be small, so that a record that is none of them costs no more than they do. A field of b that is zero
// is no bound. As with MaxDecoded, a value over a bound is neither written nor read.
func (c *Codec) Within(b Bounds) *Codec {
	within := *c
	if b.Bytes > 0 {
		within.bounds.Bytes = min(b.Bytes, c.bounds.Bytes)
	}
	if b.Values > 0 {
		within.bounds.Values = min(b.Values, c.bounds.Values)
	}
	return &within
}

// Encode returns the record of v with the header h, to be stored under the
// Redis key and no other. A tombstone needs no v: with nil it has no payload.
//
// It refuses what it could not read again into a value of v's type: a
// [TooLargeError] for a v over MaxDecoded, a [ConfigError] for an empty key or a
// header over its bounds, and an [EncodeError] for a v that can't be encoded, or
// not be decoded again. To be sure, a v whose type alone doesn't tell (one with
// interfaces, embedded fields or an encoding of its own in it) is decoded once.
func (c *Codec) Encode(key string, h Header, v any) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := h.validate(); err != nil {
		return nil, err
	}
	e := encoders.Get().(*encoder)
	var payload []byte
	var flags byte
	if v != nil || !h.Tombstone {
		var err error
		if payload, flags, err = e.encode(v, c); err != nil {
			return nil, err
		}
	}
	if c.seal.on() {
		flags |= flagSealed
	}

	n := h.len()
	b := make([]byte, 0, n+len(payload)+c.seal.overhead()+sumLen)
	b = h.append(b, flags)
	b = c.seal.append(b, payload, key)
	b = binary.BigEndian.AppendUint32(b, checksum(key, b))
	e.release()
	return b, nil
}

// Open reads a value found under the Redis key as far as its header, and makes
// sure of all of it: where it is sealed, header and payload are authentic.
// Anything that isn't a whole record of this key is a [CorruptError].
func (c *Codec) Open(key, value string) (Record, error) {
	if err := checkKey(key); err != nil {
		return Record{}, err
	}
	r, err := parse(key, value)
	if err != nil {
		return Record{}, err
	}
	if r.flags&flagSealed != 0 {
		r.payload, err = c.seal.open(r.payload, view(value[:r.Header.len()]), key)
	} else {
		err = c.seal.allowUnsealed()
	}
	if err != nil {
		return Record{}, err
	}
	r.codec = c
	return r, nil
}

// A Record is a value that Open has read as far as its header.
type Record struct {
	Header
	flags   byte
	payload []byte // not to be written to; see view
	codec   *Codec
}

// Decode decodes the payload into v, a pointer. Fields of a struct that the
// payload doesn't know keep what they held, fields that the struct doesn't know
// are skipped. A payload that isn't whole, is over a bound, doesn't fit v or is
// missing, as in a tombstone, is a [CorruptError], and v is then to be discarded.
func (r Record) Decode(v any) error {
	if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer || p.IsNil() {
		return &ConfigError{Name: "v", Value: fmt.Sprintf("%T", v), Want: "a pointer that isn't nil"}
	}
	if len(r.payload) == 0 {
		return corrupt("the record holds no value")
	}
	return decode(r.payload, r.flags&flagCompressed != 0, r.codec.bounds, v)
}

func checkKey(key string) error {
	if key == "" {
		return &ConfigError{Name: "key", Value: `""`, Want: "a Redis key"}
	}
	return nil
}
