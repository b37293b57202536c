package cache

import (
	"cmp"
	"encoding"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Package msgpack encodes more than it decodes: a map with integer keys in an interface, any value
// in an interface that has methods, two fields of one name. Every reader would refuse a record of
// such a value, at a time when the work is done and can't be undone. So Encode proves first that
// the value can be decoded: for most types by inspecting the type, once; for the others by decoding
// the payload before it is stored.

// traits are what encode has to know about a type.
type traits struct {
	decodable bool // every value of it can be decoded again
	custom    bool // it has an encoding of its own
}

func traitsOf(t reflect.Type) traits {
	if known, ok := types.Load(t); ok {
		return known.(traits)
	}
	is := traits{decodable: isDecodable(t, nil), custom: t != nil && hasCustomEncoding(t)}
	types.Store(t, is)
	return is
}

var types sync.Map // traits by reflect.Type

// isDecodable reports whether every value of type t can be decoded again; t is part of the types of
// enclosing. A type that is part of itself is not decodable: its values may be nested without end.
func isDecodable(t reflect.Type, enclosing []reflect.Type) bool {
	switch {
	case t == nil, t == timeType, t == reflect.PointerTo(timeType):
		return true
	case slices.Contains(enclosing, t), hasCustomEncoding(t):
		return false
	}
	enclosing = append(enclosing, t)
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return isDecodable(t.Elem(), enclosing)
	case reflect.Map:
		return isDecodable(t.Key(), enclosing) && isDecodable(t.Elem(), enclosing)
	case reflect.Struct:
		names := map[string]bool{}
		for f := range t.Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
			switch {
			case name == "-" && options == "":
				continue
			case f.Anonymous, f.Name == "_msgpack", options != "" && options != "omitempty":
				return false
			case !f.IsExported():
				continue
			case name == "":
				name = f.Name
			}
			if names[name] || !isDecodable(f.Type, enclosing) {
				return false
			}
			names[name] = true
		}
		return true
	}
	return false
}

var timeType = reflect.TypeFor[time.Time]()

// customEncodings are the interfaces by which a type, or a pointer to it, gives msgpack an encoding
// of its own.
var customEncodings = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.CustomDecoder](),
	reflect.TypeFor[msgpack.Marshaler](), reflect.TypeFor[msgpack.Unmarshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
}

func hasCustomEncoding(t reflect.Type) bool {
	for _, custom := range customEncodings {
		if t.Implements(custom) || reflect.PointerTo(t).Implements(custom) {
			return true
		}
	}
	return false
}

// pointerTo returns a pointer to v, or v if it is one: the marshalers of some types have pointer
// receivers.
func pointerTo(v any) any {
	value := reflect.ValueOf(v)
	if value.Kind() == reflect.Pointer {
		return v
	}
	p := reflect.New(value.Type())
	p.Elem().Set(value)
	return p.Interface()
}

// decodeAgain decodes a surveyed payload into a new value of type t, or of the type that t points
// to.
func decodeAgain(payload []byte, extensions []int, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	d := decoder{msgpack: msgpack.NewDecoder(nil)}
	return d.unmarshal(payload, extensions, reflect.New(t).Interface())
}

// maxSteps is how many steps checkShape goes into a value. More make a payload of more than
// maxLevels: each level takes up to three steps, a pointer, an interface, and what that holds.
const maxSteps = 3 * maxLevels

// checkShape refuses values that msgpack can't cope with. One is a value that is nested deeper than
// so many steps: msgpack recurses into it, and into one that points to itself until the stack
// overflows. The other is a uintptr, which msgpack neither encodes nor refuses.
func checkShape(v reflect.Value, steps int) error {
	if !v.IsValid() {
		return nil
	}
	if is := traitsOf(v.Type()); is.decodable || is.custom {
		return nil // it can't be nested without end, or its own encoder has to know
	}
	if steps == 0 {
		return &TooLargeError{Unit: "levels", Size: maxLevels + 1, Limit: maxLevels}
	}
	steps--
	switch v.Kind() {
	case reflect.Uintptr:
		return errUintptr
	case reflect.Pointer, reflect.Interface:
		return checkShape(v.Elem(), steps)
	case reflect.Slice, reflect.Array:
		for _, e := range v.Seq2() {
			if err := checkShape(e, steps); err != nil {
				return err
			}
		}
	case reflect.Map:
		for k, e := range v.Seq2() {
			if err := cmp.Or(checkShape(k, steps), checkShape(e, steps)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for f, field := range v.Fields() {
			if !f.IsExported() && !f.Anonymous || f.Tag.Get("msgpack") == "-" {
				continue
			}
			if err := checkShape(field, steps); err != nil {
				return err
			}
		}
	}
	return nil
}

var errUintptr = errors.New("a uintptr can't be encoded")
