package cache

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// A Codec writes and reads records without Redis, for programs that store the bytes themselves. It
// is safe for concurrent use.
type Codec struct {
	compressAbove int64
	bounds        Bounds
	maxRecord     int64
	seal          sealer
}

// Bounds limit a payload, before compression and after decompression.
type Bounds struct {
	Bytes  int64 // its length at most
	Values int64 // the number of msgpack values in it, at most
}

// NewCodec returns a Codec. The error names every fault of cfg.
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

// WithBounds returns a copy of c that also enforces b, where that is tighter than MaxDecoded. It is
// for values that are known to be small: a forged record in their place then costs no more to read
// than they do. A field of b that is zero is no bound. As with MaxDecoded, a value over a bound is
// neither written nor read.
func (c *Codec) WithBounds(b Bounds) *Codec {
	bounded := *c
	if b.Bytes > 0 {
		bounded.bounds.Bytes = min(b.Bytes, c.bounds.Bytes)
	}
	if b.Values > 0 {
		bounded.bounds.Values = min(b.Values, c.bounds.Values)
	}
	return &bounded
}

// Encode returns the record of v with the header h, to be stored under this Redis key and no other.
// A tombstone may have a nil v: it then has no payload. Encode refuses what nobody could read back
// into a value of v's type. The error is a [TooLargeError] for a v over MaxDecoded, a [ConfigError]
// for an empty key or a header over its bounds, and an [EncodeError] for a v that can't be encoded,
// or not be decoded again. Where the type of v does not prove that it can be decoded (it has
// interfaces, embedded fields or an encoding of its own in it), Encode decodes the payload once to
// find out.
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
	if c.seal.enabled() {
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

// Open checks the whole of a value that was found under the Redis key, and reads its header. If it
// is sealed, header and payload have been authenticated. Anything but a whole record of this key is
// a [CorruptError].
func (c *Codec) Open(key, value string) (Record, error) {
	if err := checkKey(key); err != nil {
		return Record{}, err
	}
	r, err := parse(key, value)
	if err != nil {
		return Record{}, err
	}
	if r.flags&flagSealed != 0 {
		r.payload, err = c.seal.open(r.payload, bytesOf(value[:r.Header.len()]), key)
	} else {
		err = c.seal.checkUnsealed()
	}
	if err != nil {
		return Record{}, err
	}
	r.codec = c
	return r, nil
}

// A Record is a value that Open has checked. Its header has been read, its payload has not.
type Record struct {
	Header
	flags   byte
	payload []byte // must not be written to; see bytesOf
	codec   *Codec
}

// Decode decodes the payload into v, a pointer. Struct fields that the payload lacks keep what they
// held; fields that the struct lacks are skipped. A payload that is malformed, over a bound, of
// another shape than v, or missing as in a tombstone is a [CorruptError]; v must not be used then.
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
