package conformance

import (
	"slices"
	"strings"
	"testing"
)

// A walk asks all rows in one form of one dialect.
type walk struct {
	contract *contract
	results  *results
	targets  map[*setting]*target // nil unless they are ours to start
}

// walkOurs starts a server for each setting, once a row needs it.
func (w *walk) walkOurs(t *testing.T) {
	w.targets = map[*setting]*target{}
	target, err := w.start(t, usual)
	if err != nil {
		t.Fatal(err)
	}
	w.walk(t, target)
}

// start returns the server that has the setting. The end of t ends it.
func (w *walk) start(t *testing.T, s *setting) (*target, error) {
	if w.targets[s] != nil {
		return w.targets[s], nil
	}
	target, err := startPayments(t, w.contract, s)
	if err != nil {
		return nil, err
	}
	target.askDemo()
	w.targets[s] = target
	return target, nil
}

// walk asks target, and starts others for the rows that it can't answer, if they are ours to start.
func (w *walk) walk(t *testing.T, target *target) {
	for _, r := range rows {
		if !r.about(w.contract) {
			continue
		}
		t.Run(r.name, func(row *testing.T) {
			at := target
			if r.under != nil && w.targets != nil {
				var err error
				if at, err = w.start(t, r.under); err != nil {
					row.Fatal(err)
				}
			}
			got := w.ask(r, at)
			w.results.note(got)
			switch {
			case got.notAsked != "" && w.targets != nil:
				row.Errorf("%s, of a server of ours", got.notAsked)
			case len(got.diffs) > 0:
				row.Errorf("%d differences: the table has them", len(got.diffs))
			}
		})
	}
}

func (w *walk) ask(r row, at *target) result {
	if missing := w.missing(r, at); len(missing) > 0 {
		return result{row: r.name, notAsked: "not asked: needs " + strings.Join(missing, " and ")}
	}
	v := &visit{contract: w.contract, target: at}
	r.ask(v)
	return result{row: r.name, diffs: v.diffs}
}

// missing says what a row needs that there is not.
func (w *walk) missing(r row, at *target) (missing []string) {
	if r.under != nil && w.targets == nil {
		missing = append(missing, "examples/payments with "+r.under.needs)
	}
	for _, name := range r.needs {
		if !slices.Contains(at.demo, name) {
			missing = append(missing, name+" of examples/payments")
		}
	}
	if r.tenants && at.tenant == "" {
		missing = append(missing, "-tenant")
	}
	return missing
}
