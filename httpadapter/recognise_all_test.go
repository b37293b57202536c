package httpadapter

import (
	"net/http/httptest"
	"testing"
)

// What any of our dialects says, Transport understands: nothing here may drift apart.
func TestRecognisesEveryDialect(t *testing.T) {
	for _, d := range dialects {
		for name, o := range allOutcomes {
			for _, accept := range []string{"application/json", "application/xml"} { // for BlueSnap
				info := goldenInfo(d.dialect, o)
				info.Request.Header.Set("Accept", accept)
				w := httptest.NewRecorder()
				writeError(w, d.dialect, o, info)
				want := o
				switch o {
				case ReplayHidden:
					want = 0 // it is not to tell of a key
				case KeyTooLong, KeyRepeated:
					want = KeyMalformed // which most dialects don't tell apart
				}
				got := recognise(w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
				if got == KeyTooLong || got == KeyRepeated {
					got = KeyMalformed
				}
				if got != want {
					t.Errorf("%s, %s: recognised as %d, want %d: %d %s", d.name, name, got, want, w.Code, w.Body)
				}
			}
		}
	}
}
