package cache

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/vmihailenco/msgpack/v5"
)

// maxPooled is the scratch space that an idle encoder or decoder may keep.
const maxPooled = 256 << 10

var encoders = sync.Pool{New: func() any { return &encoder{msgpack: msgpack.NewEncoder(nil)} }}

// An encoder is the scratch space of one Encode.
type encoder struct {
	msgpack *msgpack.Encoder
	plain   bytes.Buffer
	packed  []byte

	extensions []int // survey's, and of no use here
}

// encode returns v as a payload, which is e's until it is released, and the
// flags to store with it. An encoder that failed is not used again.
func (e *encoder) encode(v any, c *Codec) ([]byte, byte, error) {
	e.plain.Reset()
	e.msgpack.Reset(&e.plain)
	if err := e.msgpack.Encode(v); err != nil {
		return nil, 0, fmt.Errorf("cache: encode: %w", err)
	}
	plain := e.plain.Bytes()
	if err := within(c.maxDecoded, len(plain)); err != nil {
		return nil, 0, err
	}
	var err error
	switch e.extensions, err = survey(plain, c.maxDecoded, e.extensions[:0]); {
	case errors.Is(err, ErrTooLarge):
		return nil, 0, err
	case err != nil:
		return nil, 0, fmt.Errorf("cache: encode: %w", err)
	}
	if c.compressAbove == Never || int64(len(plain)) <= c.compressAbove {
		return plain, 0, nil
	}
	e.packed = s2.Encode(e.packed[:cap(e.packed)], plain)
	if len(e.packed) > len(plain)-len(plain)/8 {
		return plain, 0, nil // every replay would pay for it, and save next to nothing
	}
	return e.packed, flagCompressed, nil
}

func (e *encoder) release() {
	if e.plain.Cap() <= maxPooled && cap(e.packed) <= maxPooled {
		encoders.Put(e)
	}
}

var decoders = sync.Pool{New: func() any { return &decoder{msgpack: msgpack.NewDecoder(nil)} }}

// A decoder is the scratch space of one Decode.
type decoder struct {
	msgpack *msgpack.Decoder
	in      reader

	unpacked []byte
}

// decode decodes a payload into v. Every allocation on the way is bounded before
// it is made: by limit, and by the sizes of v's own types.
func decode(payload []byte, compressed bool, limit int64, v any) (err error) {
	// A value of the wrong shape makes msgpack panic for some v (a list for a key
	// of map[any]any, a string for a non-empty interface). The payload did that,
	// whoever wrote it, so the answer is an error, as it is for other misfits.
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptError{Reason: "the payload doesn't fit the Go type", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	d := decoders.Get().(*decoder)
	if compressed {
		if payload, err = d.decompress(payload, limit); err != nil {
			return err
		}
	}
	if err := within(limit, len(payload)); err != nil {
		return &CorruptError{Reason: err.Error(), Err: err}
	}
	extensions, err := survey(payload, limit, d.in.extensions[:0])
	if err != nil {
		return &CorruptError{Reason: err.Error(), Err: err}
	}
	d.in = reader{b: payload, extensions: extensions}
	d.msgpack.Reset(&d.in)
	if err := d.msgpack.Decode(v); err != nil {
		return &CorruptError{Reason: "the payload doesn't fit the Go type", Err: err}
	}
	if cap(d.unpacked) <= maxPooled && len(payload) <= maxPooled { // the latter for msgpack's own buffers
		d.in = reader{extensions: extensions[:0]}
		decoders.Put(d)
	}
	return nil
}

// decompress returns the payload that was packed, which is d's until the next.
func (d *decoder) decompress(packed []byte, limit int64) ([]byte, error) {
	// The block says first how long it will be, and the decoder holds it to that,
	// so one that would blow up is refused by its first bytes.
	n, err := s2.DecodedLen(packed)
	if err != nil {
		return nil, &CorruptError{Reason: "the compressed payload doesn't say its size", Err: err}
	}
	if err := within(limit, n); err != nil {
		return nil, &CorruptError{Reason: err.Error(), Err: err}
	}
	if d.unpacked, err = s2.Decode(d.unpacked[:cap(d.unpacked)], packed); err != nil {
		return nil, &CorruptError{Reason: "the compressed payload doesn't decompress", Err: err}
	}
	return d.unpacked, nil
}

// within returns a [TooLargeError] for n bytes over the limit.
func within(limit int64, n int) error {
	if int64(n) > limit {
		return &TooLargeError{Unit: "bytes", Size: int64(n), Limit: limit}
	}
	return nil
}
