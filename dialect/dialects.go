package dialect

import (
	"cmp"
	"strings"
)

// dialects is the one place where the names that an operator can choose from meet the dialects. The first is the
// default. The tag of httpadapter.Config.DialectName repeats the names; a test compares them.
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

// Named returns the ready-made dialect of that name, the default for "", or nil for an unknown name.
func Named(name string) Dialect {
	for _, d := range dialects {
		if d.name == cmp.Or(name, dialects[0].name) {
			return d.dialect
		}
	}
	return nil
}

// Names returns the names of the ready-made dialects, the default's first.
func Names() []string {
	var names []string
	for _, d := range dialects {
		names = append(names, d.name)
	}
	return names
}

// vendorCode is the outcome's code as the vendors spell theirs, for a dialect that has none for it. It stands among
// codes about other things than keys, so the two short ones say what is missing or invalid.
func vendorCode(o Outcome) string {
	switch o {
	case KeyMissing:
		return "idempotency_key_missing"
	case KeyMalformed, KeyTooLong, KeyRepeated:
		return "idempotency_key_invalid"
	}
	return strings.ReplaceAll(o.String(), "-", "_")
}

// vendorType is the class of error that both Credicorp and Stripe sort a status into.
func vendorType(status int) string {
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

// Markers returns the names of the headers by which the ready-made dialects mark a replay. No record keeps any of them,
// and not only that of the dialect in use: a record can outlive the choice of a dialect, and a handler that passes on
// another API's answer passes on its marker, too. One of them, BlueSnap's, is Idempotency-Key itself: so a handler that
// echoes the key does so in the first answer only, under whichever dialect.
func Markers() []string {
	var names []string
	for _, d := range dialects {
		name, _ := d.dialect.Marker("")
		names = append(names, name)
	}
	return names
}
