package config

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// TenYears is the longest time that any setting takes. Redis keeps keys for longer, but in Lua, whose
// numbers are float64, a sum of such times in milliseconds stays exact.
const TenYears = 10 * 365 * 24 * time.Hour

// MaxWait is the longest time that a duplicate waits for the answer of a request in progress.
const MaxWait = time.Hour

// Off is what "off" in a variable sets. The packages' constants for it, such as cache.Never, have this
// value.
const Off = -1

// A Rule says what a field can hold beside zero.
type Rule[T any] struct {
	Want    string           // in words
	refused func(T) []string // the values that are not accepted
}

// OneOf is what to want of words.
func OneOf[T ~string](words []T) string {
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	return "one of " + strings.Join(list, ", ")
}

// Only accepts what is valid.
func Only[T any](want string, valid func(T) bool) Rule[T] {
	return Rule[T]{want, func(v T) []string {
		if valid(v) {
			return nil
		}
		return []string{fmt.Sprint(v)}
	}}
}

// Between accepts low to high. An int64 is a size in bytes.
func Between[T cmp.Ordered](low, high T) Rule[T] {
	want := format(low) + " to " + format(high)
	if _, ok := any(low).(int64); ok {
		want = "a size from " + want
	}
	return Only(want, func(v T) bool { return low <= v && v <= high })
}

// AtLeast accepts low and more.
func AtLeast[T cmp.Ordered](low T) Rule[T] {
	return Only("at least "+format(low), func(v T) bool { return low <= v })
}

// OrOff accepts Off, too.
func OrOff[T ~int | ~int64](rule Rule[T]) Rule[T] {
	return Rule[T]{rule.Want + ", or off", func(v T) []string {
		if v == Off {
			return nil
		}
		return rule.refused(v)
	}}
}

// Each accepts lists of what is valid, each element once by the form that fold brings it to, if that
// is not nil. An element that matches nothing, or that stands where another was meant, turns
// protection off unnoticed: so each list has a rule of what can match at all, and whoever writes one
// element twice meant another.
func Each(want string, valid func(string) bool, fold func(string) string) Rule[[]string] {
	return Rule[[]string]{want, func(list []string) (refused []string) {
		seen := map[string]bool{}
		for _, element := range list {
			folded := element
			if fold != nil {
				folded = fold(element)
			}
			if !valid(element) || seen[folded] {
				// An empty element would not tell where it stands.
				refused = append(refused, cmp.Or(element, strings.Join(list, ",")))
			}
			seen[folded] = true
		}
		return refused
	}}
}

// EachSecret accepts lists of what is valid, each secret once. Of one that is not accepted only the
// length is told.
func EachSecret(want string, valid func([]byte) bool) Rule[[][]byte] {
	return Rule[[][]byte]{want, func(list [][]byte) (refused []string) {
		seen := map[string]bool{}
		for _, secret := range list {
			if !valid(secret) || seen[string(secret)] {
				refused = append(refused, fmt.Sprintf("%d bytes", len(secret)))
			}
			seen[string(secret)] = true
		}
		return refused
	}}
}

// format writes v as a variable does: a duration without the units that are zero, a size in the
// largest unit that divides it.
func format(v any) string {
	switch v := v.(type) {
	case time.Duration:
		if v == 0 {
			return "0"
		}
		s := v.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	case int64:
		for _, u := range units {
			if v != 0 && v%u.bytes == 0 {
				return fmt.Sprintf("%d%s", v/u.bytes, u.suffix)
			}
		}
	case []string:
		return strings.Join(v, ",")
	}
	return fmt.Sprint(v)
}
