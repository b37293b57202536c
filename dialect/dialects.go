package dialect

import (
	"cmp"
	"strings"
)

// dialects has the names of the ready-made dialects, by which an operator chooses one. The first is
// the default.
var dialects = []struct {
	name    string
	dialect Dialect
}{
	{"problem", Problem{}},
	{"ietf", IETF{}},
	{"credicorp", Credicorp{}},
	{"bluesnap", BlueSnap{}},
	{"stripe", Stripe{}},
}

// Named returns the ready-made dialect of that name, the default one for "", or nil for an unknown
// name.
func Named(name string) Dialect {
	for _, d := range dialects {
		if d.name == cmp.Or(name, dialects[0].name) {
			return d.dialect
		}
	}
	return nil
}

// Names returns the names of the ready-made dialects. The default is the first.
func Names() []string {
	var names []string
	for _, d := range dialects {
		names = append(names, d.name)
	}
	return names
}

// vendorCode returns the outcome's code in the spelling of the vendors, for outcomes that a vendor
// has no code for. An API has codes about other things than keys, so the two short ones say that it
// is the key that is missing or invalid.
func vendorCode(o Outcome) string {
	switch o {
	case KeyMissing:
		return "idempotency_key_missing"
	case KeyMalformed, KeyTooLong, KeyRepeated:
		return "idempotency_key_invalid"
	}
	return strings.ReplaceAll(o.String(), "-", "_")
}

// vendorType returns the type that both Credicorp and Stripe give to errors with this status.
func vendorType(status int) string {
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

// Markers returns the names of the headers by which the ready-made dialects mark a replay. Records
// keep none of them, whichever dialect is in use: a record may outlive the choice of a dialect, and
// a handler that passes on the answer of another API passes on its marker. One of the names is
// Idempotency-Key, BlueSnap's marker: so a key that a handler echoes is in the first answer only,
// in every dialect.
func Markers() []string {
	var names []string
	for _, d := range dialects {
		name, _ := d.dialect.Marker("")
		names = append(names, name)
	}
	return names
}
