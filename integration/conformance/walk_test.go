package conformance

import (
	"testing"

	"github.com/reprise-go/reprise/internal/conformance"
)

// A walk asks all rows in one form of one dialect.
type walk struct {
	*conformance.Walk
	contract *conformance.Contract
	targets  map[*conformance.Setting]*conformance.Target // nil unless they are ours to start
}

// walkOurs starts a server for each setting, once a row needs it.
func (w *walk) walkOurs(t *testing.T) {
	w.Ours, w.targets = true, map[*conformance.Setting]*conformance.Target{}
	target, err := w.start(t, conformance.Usual)
	if err != nil {
		t.Fatal(err)
	}
	w.walk(t, target)
}

// start returns the server that has the setting. The end of t ends it.
func (w *walk) start(t *testing.T, s *conformance.Setting) (*conformance.Target, error) {
	if w.targets[s] != nil {
		return w.targets[s], nil
	}
	target, err := startPayments(t, w.contract, s)
	if err != nil {
		return nil, err
	}
	w.targets[s] = target
	return target, target.AskDemo(t.Context())
}

// walk asks target, and starts others for the rows that it can't answer, if they are ours to start.
func (w *walk) walk(t *testing.T, target *conformance.Target) {
	for _, r := range w.Rows() {
		t.Run(r.Name, func(row *testing.T) {
			at := target
			if r.Under != nil && w.Ours {
				var err error
				if at, err = w.start(t, r.Under); err != nil {
					row.Fatal(err)
				}
			}
			got := w.Ask(row.Context(), r, at)
			switch {
			case got.NotAsked != "" && w.Ours:
				row.Errorf("%s, of a server of ours", got.NotAsked)
			case len(got.Diffs) > 0:
				row.Errorf("%d differences: the table has them", len(got.Diffs))
			}
		})
	}
}
