package envconf

import (
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// off is what the word "off" sets; see the package comment.
const off = -1

// The errors of this file say what is wanted and nothing else: they become the
// Want of a [config.Error] whose field has no want tag of its own.
var (
	errInt      = errors.New("a whole number")
	errBool     = errors.New("true or false")
	errSize     = errors.New("a size above 0, such as 65536, 64KiB or 16MiB")
	errDuration = errors.New("a duration above 0, such as 250ms, 15s or 1h30m")
	errSecret   = errors.New("base64")
)

// syntax overrides what the env library does with these types by itself.
var syntax = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[int]():           func(s string) (any, error) { return parseInt(s) },
	reflect.TypeFor[int64]():         func(s string) (any, error) { return parseSize(s) },
	reflect.TypeFor[bool]():          func(s string) (any, error) { return parseBool(s) },
	reflect.TypeFor[time.Duration](): func(s string) (any, error) { return parseDuration(s) },
	reflect.TypeFor[[]byte]():        func(s string) (any, error) { return parseSecret(s) },
	reflect.TypeFor[[][]byte]():      func(s string) (any, error) { return parseSecrets(s) },
}

func parseInt(s string) (int, error) {
	if s == "off" {
		return off, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, errInt
	}
	return n, nil
}

func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, errBool
	}
	return b, nil
}

// parseSize takes binary units alone: KB and MB would leave open whether they
// mean 1000 or 1024.
func parseSize(s string) (int64, error) {
	if s == "off" {
		return off, nil
	}
	digits, unit := s, int64(1)
	for suffix, bytes := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			digits, unit = d, bytes
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, errSize
	}
	return n * unit, nil
}

func parseDuration(s string) (time.Duration, error) {
	if s == "off" {
		return off, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errDuration
	}
	return d, nil
}

// parseSecret takes the URL alphabet as well as the standard one, and a missing
// padding: which of them a key was printed in is nothing to fail a start over.
func parseSecret(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(s))
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(b) == 0 {
		return nil, errSecret
	}
	return b, nil
}

func parseSecrets(s string) ([][]byte, error) {
	var all [][]byte
	for part := range strings.SplitSeq(s, ",") {
		b, err := parseSecret(part)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}
