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
	w.walk(t, w.start(t, usual))
}

func (w *walk) start(t *testing.T, s *setting) *target {
	if w.targets[s] == nil {
		w.targets[s] = startPayments(t, w.contract, s)
	}
	return w.targets[s]
}

// walk asks target, and what it has to start for the rows that target can't answer.
func (w *walk) walk(t *testing.T, target *target) {
	target.servers = slices.Clone(target.servers)
	for i, s := range target.servers {
		target.servers[i] = strings.TrimSuffix(s, "/")
	}
	target.askDemo()
	for _, r := range rows {
		if !r.about(w.contract) {
			continue
		}
		t.Run(r.name, func(row *testing.T) {
			at := target
			if r.under != nil && w.targets != nil {
				at = w.start(t, r.under)
				at.demo = target.demo // it is the same program
			}
			got := w.ask(r, at)
			w.results.rows = append(w.results.rows, got)
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
