package config

import (
	"encoding"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A kind is how the text of a variable becomes a value.
type kind[T any] struct {
	isZero func(T) bool
	parse  func(string) (T, error) // the error says in words what a text has to be
	form   string                  // see Info
	secret bool
}

// errAsWanted is the error of a text of which the row's Want says enough.
var errAsWanted = errors.New("as wanted")

var (
	errInt      = errors.New("a whole number")
	errBool     = errors.New("true or false")
	errDuration = errors.New("a duration above 0, such as 250ms, 15s or 1h30m")
)

// String is the row of a text that is taken as it stands.
func String(variable, field string, value *string) *Row[string] {
	return newRow(variable, field, value, kind[string]{isZero: isZero[string], parse: asItStands[string]})
}

// Bool is the row of a switch: true or false, and what [strconv.ParseBool] takes besides.
func Bool(variable, field string, value *bool) *Row[bool] {
	return newRow(variable, field, value, kind[bool]{isZero: isZero[bool], parse: parseBool}).Default(false)
}

// Int is the row of a whole number, or off.
func Int(variable, field string, value *int) *Row[int] {
	return newRow(variable, field, value, kind[int]{isZero: isZero[int], parse: parseInt})
}

// Size is the row of a number of bytes: 65536, 64KiB, 16MiB, 1GiB, or off. Its rule has to show one.
func Size(variable, field string, value *int64) *Row[int64] {
	return newRow(variable, field, value, kind[int64]{isZero: isZero[int64], parse: parseSize})
}

// Duration is the row of a time: 250ms, 15s, 1h30m, or off.
func Duration(variable, field string, value *time.Duration) *Row[time.Duration] {
	return newRow(variable, field, value, kind[time.Duration]{isZero: isZero[time.Duration], parse: parseDuration})
}

// List is the row of texts with commas between them. White space is part of a text.
func List(variable, field string, value *[]string) *Row[[]string] {
	return newRow(variable, field, value, kind[[]string]{
		isZero: isEmpty[string], parse: parseList, form: ", separated by commas"})
}

// Secrets is the row of secrets in base64, of either alphabet, padded or not.
func Secrets(variable, field string, value *[][]byte) *Row[[][]byte] {
	return newRow(variable, field, value, kind[[][]byte]{
		isZero: isEmpty[[]byte], parse: parseSecrets, form: ", in base64, separated by commas", secret: true})
}

// A Policy is a word of a fixed set. Words returns that set, whatever the receiver.
type Policy[P any] interface {
	~string
	Words() []P
}

// Word is the row of a policy, which accepts its words and nothing else.
func Word[P Policy[P]](variable, field string, value *P) *Row[P] {
	row := newRow(variable, field, value, kind[P]{isZero: isZero[P], parse: asItStands[P]})
	words := P("").Words()
	return row.Accept(Only(OneOf(words), func(p P) bool { return slices.Contains(words, p) }))
}

// Text is the row of a type that reads itself; its error says what it accepts.
func Text[T comparable, P interface {
	*T
	encoding.TextUnmarshaler
}](variable, field string, value *T) *Row[T] {
	parse := func(text string) (v T, err error) {
		err = P(&v).UnmarshalText([]byte(text))
		return v, err
	}
	return newRow(variable, field, value, kind[T]{isZero: isZero[T], parse: parse})
}

func isZero[T comparable](v T) bool { return v == *new(T) }

func isEmpty[E any](list []E) bool { return len(list) == 0 }

func asItStands[T ~string](text string) (T, error) { return T(text), nil }

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, errBool
	}
	return b, nil
}

func parseInt(text string) (int, error) {
	if text == "off" {
		return Off, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, errInt
	}
	return n, nil
}

// units are binary ones alone: KB and MB would leave open whether they mean 1000 or 1024.
var units = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func parseSize(text string) (int64, error) {
	if text == "off" {
		return Off, nil
	}
	digits, unit := text, int64(1)
	for _, u := range units {
		if d, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, unit = d, u.bytes
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, errAsWanted
	}
	return n * unit, nil
}

func parseDuration(text string) (time.Duration, error) {
	if text == "off" {
		return Off, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errDuration
	}
	return d, nil
}

func parseList(text string) ([]string, error) { return strings.Split(text, ","), nil }

func parseSecrets(text string) ([][]byte, error) {
	var list [][]byte
	for part := range strings.SplitSeq(text, ",") {
		// Which alphabet a key was printed in, and whether padded, is nothing to fail a start over.
		part = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(part))
		secret, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(part, "="))
		if err != nil || len(secret) == 0 {
			return nil, errAsWanted
		}
		list = append(list, secret)
	}
	return list, nil
}
