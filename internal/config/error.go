// Package config is what the packages' Configs have in common. A Config says in rows, one for each
// [Setting], which variable sets a field, what zero means and what is accepted; from these come
// [FromEnv], defaults, the faults that Validate finds, and the test that compares the documentation's
// table. Rules across fields are plain code in Validate.
//
// Zero always means the default, and -1 is off where a setting can be off. So a variable can't set a
// size or a duration to 0, which is hardly what somebody who writes TTL=0 has in mind.
package config

import (
	"errors"
	"fmt"
	"strings"
)

// Error is one setting that isn't accepted. Packages make it known under a name of
// their own, by an alias, and use it for arguments and fields as well.
type Error struct {
	Name  string // the variable, field or argument
	Value string // what was given; empty for a secret, which is never repeated
	Want  string // what is accepted
	Other string // the second setting of a rule across two, or empty
}

// Error begins with the name, so that a list of faults reads as a list of names.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Name)
	b.WriteString(": ")
	if e.Value != "" {
		fmt.Fprintf(&b, "got %q, ", e.Value)
	}
	b.WriteString("want ")
	b.WriteString(e.Want)
	if e.Other != "" {
		fmt.Fprintf(&b, " (see %s)", e.Other)
	}
	return b.String()
}

// In returns err with field and a dot before the names in it: how a Config's
// Validate passes on the faults of a Config inside it.
func In(field string, err error) error {
	return errors.Join(Map(err, func(e Error) *Error {
		e.Name = field + "." + e.Name
		if e.Other != "" {
			e.Other = field + "." + e.Other
		}
		return &e
	})...)
}

// Map returns the errors joined in err, with every *Error among them replaced by
// what fn makes of a copy, or dropped where that is nil. Other errors stay.
func Map(err error, fn func(Error) *Error) []error {
	faults := flatten(err)
	kept := faults[:0]
	for _, fault := range faults {
		if e, ok := fault.(*Error); ok {
			if e = fn(*e); e == nil {
				continue
			}
			fault = e
		}
		kept = append(kept, fault)
	}
	return kept
}

// flatten returns the errors that errors.Join put together, at any depth.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
