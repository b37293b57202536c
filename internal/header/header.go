// Package header says which header fields of an answer its record keeps. Over HTTP these are header
// and trailer fields by their canonical names, over gRPC metadata by lower-case keys.
package header

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/internal/field"
)

// Never are the fields that no list can let into a record, in the spelling that HTTP gives them:
// those that belong to one connection, and those that tell generated SDKs whether to send the
// request again, which of a stored answer is for the server that replays it to say. An adapter adds
// its own markers.
var Never = slices.Concat(field.OfConnection, []string{"X-Should-Retry", "Stripe-Should-Retry", "Retry-After-Ms"})

// transient are the fields that a record leaves out unless the allow list names them: they hold for
// one answer at its time, to one caller, or on one way through the network.
var transient = []string{
	"Proxy-*", "Via", "Alt-Svc",
	"Date", "Age", "Server-Timing",
	"Retry-After", "RateLimit*", "X-RateLimit-*",
	"Set-Cookie", "WWW-Authenticate", "Authentication-Info", "Clear-Site-Data",
	"Traceparent", "Tracestate", "X-Request-Id", "Request-Id",
	"Access-Control-*",
}

// LeftOut returns the names of what records leave out where nothing is configured, in canonical
// form and sorted.
func LeftOut(canonical func(string) string, never []string) []string {
	names := slices.Concat(never, transient)
	for i, name := range names {
		names[i] = canonical(name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A Filter decides which fields a record keeps. For one name, the first of these lists that has it
// decides: never (out), allow (kept), deny and the transient ones (out); a name in none is kept.
// Allow comes before deny so that deny "*" with an allow list means "only these".
type Filter struct {
	names                  map[string]rule // by canonical name
	never, allowed, denied []string        // beginnings of canonical names
}

type rule uint8

const (
	ruleDeny rule = iota + 1
	ruleAllow
	ruleNever
)

// NewFilter makes a Filter from lists of names in any case; a name that ends in an asterisk stands
// for all that begin so. canonical gives a name, or the beginning of one, the spelling that Keeps
// is asked with. The error names all faults of allow and deny at once.
func NewFilter(canonical func(string) string, never, allow, deny []string) (*Filter, error) {
	f := &Filter{names: map[string]rule{}}
	for _, pattern := range transient {
		f.deny(canonical, pattern)
	}
	for _, pattern := range never {
		if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
			f.never = append(f.never, canonical(prefix))
		} else {
			f.names[canonical(pattern)] = ruleNever
		}
	}
	var faults []error
	refuse := func(pattern, why string) { faults = append(faults, fmt.Errorf("%q: %s", pattern, why)) }
	for _, pattern := range allow {
		prefix, wild := strings.CutSuffix(pattern, "*")
		name := canonical(prefix)
		switch {
		case !isPattern(pattern):
			refuse(pattern, wantPattern)
		case wild:
			f.allowed = append(f.allowed, name)
		case f.names[name] == ruleNever, beginsWith(name, f.never):
			refuse(pattern, "can't be allowed, it is made anew for each answer")
		default:
			f.names[name] = ruleAllow
		}
	}
	for _, pattern := range deny {
		prefix, wild := strings.CutSuffix(pattern, "*")
		name := canonical(prefix)
		switch {
		case !isPattern(pattern):
			refuse(pattern, wantPattern)
		case wild && slices.Contains(f.allowed, name), !wild && f.names[name] == ruleAllow:
			refuse(pattern, "is both allowed and denied")
		default:
			f.deny(canonical, pattern)
		}
	}
	return f, errors.Join(faults...)
}

const wantPattern = "want a header name, or the beginning of one and an asterisk"

func isPattern(pattern string) bool {
	prefix, _ := strings.CutSuffix(pattern, "*")
	return pattern != "" && (prefix == "" || field.IsToken(prefix)) && !strings.Contains(prefix, "*")
}

// deny never weakens the rule of a name that has one.
func (f *Filter) deny(canonical func(string) string, pattern string) {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		f.denied = append(f.denied, canonical(prefix))
	} else if name := canonical(pattern); f.names[name] == 0 {
		f.names[name] = ruleDeny
	}
}

// Keeps reports whether a record keeps a field, by its canonical name.
func (f *Filter) Keeps(canonical string) bool {
	rule := f.names[canonical]
	switch {
	case rule == ruleNever, beginsWith(canonical, f.never):
		return false
	case rule == ruleAllow, beginsWith(canonical, f.allowed):
		return true
	}
	return rule != ruleDeny && !beginsWith(canonical, f.denied)
}

func beginsWith(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
