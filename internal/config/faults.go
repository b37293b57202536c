package config

import (
	"errors"
	"fmt"
	"strings"
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

// CheckEach refuses what is not valid of a list, and what is there twice, by the form that fold brings names to, if not
// nil. A word that matches nothing, or that stands where another was meant, turns protection off unnoticed: so each list
// of words has a rule of what can match at all, and whoever writes one word twice meant something else.
func (f *Faults) CheckEach(name string, list []string, valid func(string) bool, fold func(string) string, want string) (ok bool) {
	seen := map[string]bool{}
	ok = true
	for _, word := range list {
		folded := word
		if fold != nil {
			folded = fold(word)
		}
		good := valid(word) && !seen[folded]
		if word == "" {
			word = strings.Join(list, ",") // nothing tells nobody where it stands
		}
		f.Check(good, name, word, want, "")
		seen[folded] = true
		ok = ok && good
	}
	return ok
}
