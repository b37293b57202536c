package method

import "testing"

func TestIsUnsafe(t *testing.T) {
	for m, want := range map[string]bool{
		"POST": true, "PATCH": true, "PUT": true, "DELETE": true, "PURGE": true, "M-SEARCH": true,
		"GET": false, "HEAD": false, "OPTIONS": false, "TRACE": false, "post": false, "": false, "PO ST": false,
	} {
		if got := IsUnsafe(m); got != want {
			t.Errorf("%q: got %v", m, got)
		}
	}
}
