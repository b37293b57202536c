package envconf

import (
	"errors"
	"fmt"
)

// Faults gathers what a Config's Validate finds.
type Faults []error

// Add adds faults found elsewhere; nil ones are none.
func (f *Faults) Add(errs ...error) { *f = append(*f, errs...) }

// Check adds a fault unless ok. other names the second setting of a rule across two, or is empty.
func (f *Faults) Check(ok bool, name string, value any, want, other string) {
	if !ok {
		*f = append(*f, &Error{Name: name, Value: fmt.Sprint(value), Want: want, Other: other})
	}
}

// Err returns all faults joined, or nil.
func (f *Faults) Err() error { return errors.Join(*f...) }
