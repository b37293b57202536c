package dialect_test

import (
	"net/http/httptest"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/refusal"
)

// What any of our dialects says, Recognise knows, and with it httpclient: nothing here may drift
// apart.
func TestRecognisesEveryDialect(t *testing.T) {
	for _, spoken := range dialect.Names() {
		d := dialect.Named(spoken)
		for name, o := range allOutcomes {
			for _, accept := range []string{"application/json", "application/xml"} { // for BlueSnap
				info := goldenInfo(d, o)
				info.Request.Header.Set("Accept", accept)
				w := httptest.NewRecorder()
				refusal.Write(w, d, o, info)
				want := o
				switch o {
				case dialect.ReplayHidden:
					want = 0 // it is not to tell of a key
				case dialect.KeyTooLong, dialect.KeyRepeated:
					want = dialect.KeyMalformed // which most dialects don't tell apart
				}
				got := dialect.Recognise(w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
				if got == dialect.KeyTooLong || got == dialect.KeyRepeated {
					got = dialect.KeyMalformed
				}
				if got != want {
					t.Errorf("%s, %s: recognised as %d, want %d: %d %s", spoken, name, got, want, w.Code, w.Body)
				}
			}
		}
	}
}
