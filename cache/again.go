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

// msgpack encodes more than it decodes: a map by numbers in an interface, whatever stands in an interface that
// has methods, two fields of one name. A record of such a value would be refused by every reader, when the
// work is done and it is too late. So Encode makes sure first: of most types by looking at them, once, and of
// the others by decoding what it is about to store.

// traits are what encode needs to know of a type.
type traits struct {
	sure bool // all its values can be decoded again
	own  bool // it has an encoding of its own
}

func of(t reflect.Type) traits {
	if known, ok := types.Load(t); ok {
		return known.(traits)
	}
	is := traits{sure: isSure(t, nil), own: t != nil && hasOwnEncoding(t)}
	types.Store(t, is)
	return is
}

var types sync.Map // traits by reflect.Type

// isSure reports whether all values of a type, which is within those of above, can be decoded again. One that
// is within itself is not sure: its values may be nested without end.
func isSure(t reflect.Type, above []reflect.Type) bool {
	switch {
	case t == nil, t == timeType, t == reflect.PointerTo(timeType):
		return true
	case slices.Contains(above, t), hasOwnEncoding(t):
		return false
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return isSure(t.Elem(), above)
	case reflect.Map:
		return isSure(t.Key(), above) && isSure(t.Elem(), above)
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
			if names[name] || !isSure(f.Type, above) {
				return false
			}
			names[name] = true
		}
		return true
	}
	return false
}

var timeType = reflect.TypeFor[time.Time]()

// ownEncodings are the interfaces by which a type, or a pointer to it, brings msgpack an encoding of its own.
var ownEncodings = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.CustomDecoder](),
	reflect.TypeFor[msgpack.Marshaler](), reflect.TypeFor[msgpack.Unmarshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
}

func hasOwnEncoding(t reflect.Type) bool {
	for _, own := range ownEncodings {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return true
		}
	}
	return false
}

// addressable returns a pointer to v, or v if it is one: the marshalers of some types have pointer receivers.
func addressable(v any) any {
	value := reflect.ValueOf(v)
	if value.Kind() == reflect.Pointer {
		return v
	}
	p := reflect.New(value.Type())
	p.Elem().Set(value)
	return p.Interface()
}

// decodeAgain decodes a surveyed payload into a new value of a type, or of what that points to.
func decodeAgain(payload []byte, extensions []int, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	d := decoder{msgpack: msgpack.NewDecoder(nil)}
	return d.unmarshal(payload, extensions, reflect.New(t).Interface())
}

// maxSteps is how many steps into a value make more than maxLevels of a payload: a level takes up to three, a
// pointer, an interface, and what is in it.
const maxSteps = 3 * maxLevels

// checkShape refuses what msgpack must not see: a value that is nested deeper than so many steps, which it
// follows down the stack, through a pointer to itself until that ends the process; and a uintptr, for which it
// has neither encoder nor error.
func checkShape(v reflect.Value, steps int) error {
	if !v.IsValid() {
		return nil
	}
	if is := of(v.Type()); is.sure || is.own {
		return nil // it can't hold itself, or nobody but itself knows
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
