package config

import (
	"cmp"
	"strings"
)

// FromEnv returns the Config that environ ("NAME=value", as [os.Environ] has it) asks for by the
// variables of its Settings, each behind prefix. An empty variable counts as unset, and one that no
// row has is ignored. The error has every fault at once, those that Validate finds among them, by the
// names of the variables; the Config is then zero.
func FromEnv[C any, P interface {
	*C
	Settings() Settings
	Validate() error
}](prefix string, environ []string) (C, error) {
	var c C
	settings := P(&c).Settings()
	var faults Faults
	unread := map[string]bool{}
	for _, row := range settings {
		i := row.Info()
		text := Variable(prefix, i.Variable, environ)
		if text == "" {
			continue
		}
		if want := row.read(text); want != "" {
			unread[i.Field] = true
			faults.Add(&Error{Name: prefix + i.Variable, Value: i.shown(text), Want: want})
		}
	}
	faults.Add(Map(P(&c).Validate(), func(e Error) *Error {
		if unread[e.Name] || unread[e.Other] {
			return nil // it was judged by a value that nobody gave
		}
		return settings.inVariables(e, prefix, environ)
	})...)
	if err := faults.Err(); err != nil {
		return *new(C), err
	}
	return c, nil
}

// inVariables returns e, a fault of a field, as the fault of its variable.
func (s Settings) inVariables(e Error, prefix string, environ []string) *Error {
	field := e.Name
	for _, row := range s {
		i := row.Info()
		if i.Variable == "" {
			continue
		}
		if i.Field == e.Other {
			e.Other = prefix + i.Variable
		}
		if i.Field != field {
			continue
		}
		e.Name = prefix + i.Variable
		// As it was written: 4MiB, not 4194304.
		e.Value = i.shown(cmp.Or(Variable(prefix, i.Variable, environ), e.Value))
		if e.Want == i.Want {
			e.Want += i.Form
		}
	}
	return &e
}

// shown is the value as an error may repeat it.
func (i Info) shown(value string) string {
	if i.Secret {
		return ""
	}
	return value
}

// Variable returns the value of one variable, the last one if it is there twice, or "".
func Variable(prefix, name string, environ []string) string {
	if name == "" {
		return ""
	}
	for i := len(environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(environ[i], prefix+name+"="); ok {
			return value
		}
	}
	return ""
}
