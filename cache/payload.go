package cache

import (
	"errors"
	"fmt"
	"reflect"
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
	plain   buffer
	packed  []byte

	extensions []int // survey's
}

// A buffer keeps what is written to it, up to a limit.
type buffer struct {
	b        []byte
	n, limit int64 // n is over the limit for good when more was to be written
}

var errFull = errors.New("the buffer is full")

func (w *buffer) reset(limit int64) { *w = buffer{b: w.b[:0], limit: limit} }

func (w *buffer) Write(p []byte) (int, error) {
	if w.n += int64(len(p)); w.n > w.limit {
		return 0, errFull
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

func (w *buffer) WriteByte(c byte) error {
	if w.n++; w.n > w.limit {
		return errFull
	}
	w.b = append(w.b, c)
	return nil
}

// encode returns v as a payload, which is e's until it is released, and the
// flags to store with it. An encoder that failed is not used again.
func (e *encoder) encode(v any, c *Codec) ([]byte, byte, error) {
	typ := reflect.TypeOf(v)
	sure := of(typ).sure
	if !sure {
		if err := checkShape(reflect.ValueOf(v), maxSteps); err != nil {
			return nil, 0, refusal(typ, err)
		}
		v = addressable(v)
	}
	e.plain.reset(c.bounds.Bytes)
	e.msgpack.Reset(&e.plain)
	failed := e.msgpack.Encode(v)
	if err := within(c.bounds.Bytes, e.plain.n); err != nil {
		return nil, 0, err
	}
	if failed != nil {
		return nil, 0, refusal(typ, failed)
	}
	plain := e.plain.b
	s := surveyor{b: plain, limit: c.bounds.Values, unique: !sure, extensions: e.extensions[:0]}
	err := s.survey()
	e.extensions = s.extensions
	if err == nil && !sure {
		err = decodeAgain(plain, s.extensions, typ)
	}
	if err != nil {
		return nil, 0, refusal(typ, err)
	}
	if c.compressAbove == Never || int64(len(plain)) <= c.compressAbove {
		return plain, 0, nil
	}
	e.packed = s2.Encode(e.packed[:cap(e.packed)], plain)
	if len(e.packed) > len(plain)-len(plain)/8 {
		return plain, 0, nil // every replay would pay for it, and save next to nothing
	}
	if s.values > packedValues(len(e.packed)) {
		return plain, 0, nil // it could not be read
	}
	return e.packed, flagCompressed, nil
}

// refusal is the error for a value that can't be kept, of which some are too large.
func refusal(t reflect.Type, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	return &EncodeError{Type: fmt.Sprint(t), Err: err}
}

func (e *encoder) release() {
	if cap(e.plain.b) <= maxPooled && cap(e.packed) <= maxPooled {
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

// packedValues is how many values a compressed payload may have by its length. Compressed, a value of one byte
// can be next to nothing, and decoded it is 16 bytes at least: without this, a record of a hundred bytes
// could claim all that MaxDecoded allows for. A plain payload has no more values than bytes.
//
// It is far above what values compress to that aren't all the same; those that are, encode leaves plain.
func packedValues(length int) int64 { return packedFree + packedPerByte*int64(length) }

const (
	packedFree    = 16 << 10
	packedPerByte = 16
)

// decode decodes a payload into v. Every allocation on the way is bounded before
// it is made: by bounds, and by the sizes of v's own types.
func decode(payload []byte, compressed bool, bounds Bounds, v any) (err error) {
	d := decoders.Get().(*decoder)
	if compressed {
		bounds.Values = min(bounds.Values, packedValues(len(payload)))
		if payload, err = d.decompress(payload, bounds.Bytes); err != nil {
			return err
		}
	}
	if err := within(bounds.Bytes, int64(len(payload))); err != nil {
		return &CorruptError{Reason: err.Error(), Err: err}
	}
	s := surveyor{b: payload, limit: bounds.Values, extensions: d.in.extensions[:0]}
	if err := s.survey(); err != nil {
		return &CorruptError{Reason: err.Error(), Err: err}
	}
	if err := d.unmarshal(payload, s.extensions, v); err != nil {
		return err
	}
	if cap(d.unpacked) <= maxPooled && len(payload) <= maxPooled { // the latter for msgpack's own buffers
		d.in = reader{extensions: s.extensions[:0]}
		decoders.Put(d)
	}
	return nil
}

// unmarshal decodes a surveyed payload into v. A value of the wrong shape makes msgpack panic for some v (a
// list for a key of map[any]any, a string for a non-empty interface). The payload did that, whoever wrote
// it, so the answer is an error, as it is for other misfits.
func (d *decoder) unmarshal(payload []byte, extensions []int, v any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptError{Reason: "the payload doesn't fit the Go type", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	d.in = reader{b: payload, extensions: extensions}
	d.msgpack.Reset(&d.in)
	if err := d.msgpack.Decode(v); err != nil {
		return &CorruptError{Reason: "the payload doesn't fit the Go type", Err: err}
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
	if err := within(limit, int64(n)); err != nil {
		return nil, &CorruptError{Reason: err.Error(), Err: err}
	}
	if d.unpacked, err = s2.Decode(d.unpacked[:cap(d.unpacked)], packed); err != nil {
		return nil, &CorruptError{Reason: "the compressed payload doesn't decompress", Err: err}
	}
	return d.unpacked, nil
}

// within returns a [TooLargeError] for n bytes over the limit.
func within(limit, n int64) error {
	if n > limit {
		return &TooLargeError{Unit: "bytes", Size: n, Limit: limit}
	}
	return nil
}
