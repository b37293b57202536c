package config

import (
	"errors"
	"fmt"
	"slices"
)

// Faults gathers what a Config's Validate finds.
type Faults []error

// Add adds faults found elsewhere; nil ones are none.
func (f *Faults) Add(errs ...error) { *f = append(*f, errs...) }

// CheckEach adds what is not accepted in the fields of settings, each by itself.
func (f *Faults) CheckEach(settings Settings) {
	for _, row := range settings {
		i := row.Info()
		f.refuse(i.Field, row.refused(), i.Want)
	}
}

// Check adds what rule refuses of v.
func Check[T any](f *Faults, name string, v T, rule Rule[T]) {
	f.refuse(name, rule.refused(v), rule.Want)
}

func (f *Faults) refuse(name string, values []string, want string) {
	for _, value := range values {
		f.Add(&Error{Name: name, Value: value, Want: want})
	}
}

// Check adds a fault unless ok. other names the second setting of a rule across two, or is empty.
func (f *Faults) Check(ok bool, name string, value any, want, other string) {
	if !ok {
		*f = append(*f, &Error{Name: name, Value: fmt.Sprint(value), Want: want, Other: other})
	}
}

// Has reports whether there is a fault of that name.
func (f *Faults) Has(name string) bool {
	return slices.ContainsFunc(*f, func(err error) bool {
		e, ok := err.(*Error)
		return ok && e.Name == name
	})
}

// Err returns all faults joined, or nil.
func (f *Faults) Err() error { return errors.Join(*f...) }
