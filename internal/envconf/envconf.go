// Package envconf fills a room's Config from environment variables and says
// everything that is wrong with them in one go.
//
// A setting is an exported field with an env tag, in the words of
// [github.com/caarlos0/env/v11]; a struct field without one is entered, and its
// envPrefix tag, if any, goes before the names inside. env:"-" leaves a field
// out. The tag's options (required, file and so on) aren't supported: a setting
// that is missing means the default. The type decides the syntax:
//
//	string          as it stands
//	bool            true or false, and what strconv.ParseBool takes besides
//	int             a whole number, or off
//	int64           a size in bytes: 65536, 64KiB, 16MiB, 1GiB, or off
//	time.Duration   250ms, 15s, 1h30m, or off
//	[]byte          a secret: base64, either alphabet, padded or not
//	[][]byte        secrets, separated by commas
//	other           whatever its UnmarshalText takes
//
// off is the number -1, which is what the rooms' named constants for "off" are;
// a room whose setting can't be turned off refuses it in Validate. A size or a
// duration of 0 is refused, since 0 is how a Config says "the default" and
// hardly what somebody who writes TTL=0 has in mind. An empty variable counts as
// unset, and a variable that no field asks for is ignored.
//
// A want tag says in the operator's words what a setting accepts; without it
// the message names the type's syntax above, or repeats the UnmarshalText error.
package envconf

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/reprise-go/reprise/internal/config"
)

// Parse sets the fields of into, a pointer to a struct, from the variables of
// environ ("NAME=value", as os.Environ gives them) whose names are prefix and
// the field's env tag. If into then has a method Validate() error, that is
// called too, and the fields named in its *[config.Error] are translated into the
// variables that they come from. All faults are returned at once, joined; a
// field with a faulty variable keeps what it held.
func Parse(prefix string, environ []string, into any) error {
	if t := reflect.TypeOf(into); t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("envconf: Parse into %T, want a pointer to a struct", into)
	}
	all := settings(prefix, "", reflect.TypeOf(into).Elem())
	given := env.ToMap(environ)

	var faults []error
	bad := map[string]bool{}
	for _, s := range all {
		value := given[s.variable]
		if value == "" {
			continue
		}
		// One variable at a time: the library's errors name the Go field but not
		// the variable, and a field's name needn't be the only one of its kind.
		err := env.ParseWithOptions(into, env.Options{
			Prefix:      prefix,
			Environment: map[string]string{s.variable: value},
			FuncMap:     syntax,
		})
		if err != nil {
			bad[s.path] = true
			faults = append(faults, s.fault(value, err))
		}
	}

	if v, ok := into.(interface{ Validate() error }); ok {
		faults = append(faults, config.Map(v.Validate(), func(e config.Error) *config.Error {
			if bad[e.Name] || bad[e.Other] {
				return nil // judged against a value that nobody gave
			}
			return inVariables(e, all, given)
		})...)
	}
	return errors.Join(faults...)
}

// inVariables returns e, a fault of a field, as the fault of its variable.
func inVariables(e config.Error, all []setting, given map[string]string) *config.Error {
	for _, s := range all {
		if s.path == e.Other {
			e.Other = s.variable
		}
	}
	i := slices.IndexFunc(all, func(s setting) bool { return s.path == e.Name })
	if i < 0 {
		return &e
	}
	s := all[i]
	e.Name = s.variable
	if e.Value != "" && given[s.variable] != "" { // as written: 4MiB, not 4194304
		e.Value = given[s.variable]
	}
	if s.want != "" && e.Other == "" {
		e.Want = s.want
	}
	return &e
}

// A setting is a field that a variable can set.
type setting struct {
	variable string
	path     string // the field as Validate names it: MaxDecoded, Cache.MaxDecoded
	want     string
	typ      reflect.Type
}

// settings lists the settings of t, walking it as the env library does.
func settings(prefix, path string, t reflect.Type) []setting {
	var all []setting
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case name != "":
			all = append(all, setting{prefix + name, path + f.Name, f.Tag.Get("want"), f.Type})
		case f.Type.Kind() == reflect.Struct:
			inner := path + f.Name + "."
			if f.Anonymous {
				inner = path // its fields are promoted, so Validate names them bare
			}
			all = append(all, settings(prefix+f.Tag.Get("envPrefix"), inner, f.Type)...)
		}
	}
	return all
}

// secret reports whether the setting's value must never be repeated.
func (s setting) secret() bool {
	return s.typ == reflect.TypeFor[[]byte]() || s.typ == reflect.TypeFor[[][]byte]()
}

// fault puts the library's error about s in our words.
func (s setting) fault(value string, err error) error {
	var parse env.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("envconf: %s: field %s: %w", s.variable, s.path, err) // a mistake in the Config itself
	}
	e := &config.Error{Name: s.variable, Value: value, Want: s.want}
	if e.Want == "" {
		e.Want = parse.Err.Error()
	}
	if s.secret() {
		e.Value = ""
	}
	return e
}
