package cache

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/vmihailenco/msgpack/v5"
)

// maxPooled is how much scratch space an idle encoder or decoder may keep, in bytes.
const maxPooled = 256 << 10

var encoders = sync.Pool{New: func() any { return &encoder{msgpack: msgpack.NewEncoder(nil)} }}

// An encoder is the scratch space of one Encode.
type encoder struct {
	msgpack *msgpack.Encoder
	plain   buffer
	packed  []byte

	extensions []int // scratch space of the survey
}

// A buffer keeps what is written to it, up to limit bytes.
type buffer struct {
	b        []byte
	n, limit int64 // n counts what was to be written, also beyond limit
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

// encode returns v as a payload, and its flags. The payload is valid until e is released. An
// encoder that has failed is not used again.
func (e *encoder) encode(v any, c *Codec) ([]byte, byte, error) {
	typ := reflect.TypeOf(v)
	decodable := traitsOf(typ).decodable
	if !decodable {
		if err := checkShape(reflect.ValueOf(v), maxSteps); err != nil {
			return nil, 0, refusal(typ, err)
		}
		v = pointerTo(v)
	}
	e.plain.reset(c.bounds.Bytes)
	e.msgpack.Reset(&e.plain)
	failed := e.msgpack.Encode(v)
	if err := checkLength(c.bounds.Bytes, e.plain.n); err != nil {
		return nil, 0, err
	}
	if failed != nil {
		return nil, 0, refusal(typ, failed)
	}
	plain := e.plain.b
	s := surveyor{b: plain, limit: c.bounds.Values, unique: !decodable, extensions: e.extensions[:0]}
	err := s.survey()
	e.extensions = s.extensions
	if err == nil && !decodable {
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
		return plain, 0, nil // every reader would pay for decompressing, and next to nothing is saved
	}
	if s.values > packedValues(len(e.packed)) {
		return plain, 0, nil // no reader would accept it
	}
	return e.packed, flagCompressed, nil
}

// refusal returns the error for a value that can't be stored.
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

// packedValues returns how many values a compressed payload of this length may have. Compression
// makes next to nothing of many equal values, and each takes 16 bytes of memory or more when it is
// decoded: without this bound, a forged record of a hundred bytes could cost as much memory as
// MaxDecoded allows. An uncompressed payload has no more values than bytes. The bound is far above
// what values reach that differ from each other. encode leaves a payload over it uncompressed.
func packedValues(length int) int64 { return packedFree + packedPerByte*int64(length) }

const (
	packedFree    = 16 << 10
	packedPerByte = 16
)

// decode decodes a payload into v. Every allocation is bounded before it is made: by bounds, and by
// the size of v's own types.
func decode(payload []byte, compressed bool, bounds Bounds, v any) (err error) {
	d := decoders.Get().(*decoder)
	if compressed {
		bounds.Values = min(bounds.Values, packedValues(len(payload)))
		if payload, err = d.decompress(payload, bounds.Bytes); err != nil {
			return err
		}
	}
	if err := checkLength(bounds.Bytes, int64(len(payload))); err != nil {
		return &CorruptError{Reason: err.Error(), Err: err}
	}
	s := surveyor{b: payload, limit: bounds.Values, extensions: d.in.extensions[:0]}
	if err := s.survey(); err != nil {
		return &CorruptError{Reason: err.Error(), Err: err}
	}
	if err := d.unmarshal(payload, s.extensions, v); err != nil {
		return err
	}
	if cap(d.unpacked) <= maxPooled && len(payload) <= maxPooled { // the second for msgpack's own buffers
		d.in = reader{extensions: s.extensions[:0]}
		decoders.Put(d)
	}
	return nil
}

// unmarshal decodes a surveyed payload into v. For some types, a value of the wrong shape makes
// msgpack panic: a list as the key of a map[any]any, a string for a non-empty interface. That is
// the fault of the payload, so it becomes an error, like every other value that doesn't fit.
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

// decompress returns the contents of a compressed payload. They are valid until the next call.
func (d *decoder) decompress(packed []byte, limit int64) ([]byte, error) {
	// The block begins with the length of its contents, and the decoder enforces it: a block that
	// would decompress to too much is refused by its first bytes.
	n, err := s2.DecodedLen(packed)
	if err != nil {
		return nil, &CorruptError{Reason: "the compressed payload doesn't say its size", Err: err}
	}
	if err := checkLength(limit, int64(n)); err != nil {
		return nil, &CorruptError{Reason: err.Error(), Err: err}
	}
	if d.unpacked, err = s2.Decode(d.unpacked[:cap(d.unpacked)], packed); err != nil {
		return nil, &CorruptError{Reason: "the compressed payload doesn't decompress", Err: err}
	}
	return d.unpacked, nil
}

// checkLength returns a [TooLargeError] for n bytes over the limit.
func checkLength(limit, n int64) error {
	if n > limit {
		return &TooLargeError{Unit: "bytes", Size: n, Limit: limit}
	}
	return nil
}
