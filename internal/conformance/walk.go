package conformance

import (
	"context"
	"slices"
	"strings"
)

// A Walk asks all rows in one form of one dialect.
type Walk struct {
	// Ours says that servers can be started for the rows that need a setting. Others' servers aren't
	// asked such rows.
	Ours bool

	contract *Contract
	report   *Report
	results  []Result
}

// Rows are those that are about the walk's contract.
func (w *Walk) Rows() []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !r.about(w.contract) })
}

// Ask asks a server one row, and puts the result into the report.
func (w *Walk) Ask(ctx context.Context, r Row, at *Target) Result {
	got := w.ask(ctx, r, at)
	w.note(got)
	return got
}

func (w *Walk) ask(ctx context.Context, r Row, at *Target) Result {
	if missing := w.missing(r, at); len(missing) > 0 {
		return Result{Row: r.Name, NotAsked: "not asked: needs " + strings.Join(missing, " and ")}
	}
	v := &visit{Contract: w.contract, ctx: ctx, target: at}
	r.ask(v)
	return Result{Row: r.Name, Diffs: v.diffs}
}

// missing says what a row needs that there is not.
func (w *Walk) missing(r Row, at *Target) (missing []string) {
	if r.Under != nil && !w.Ours {
		missing = append(missing, "examples/payments with "+r.Under.Needs)
	}
	for _, name := range r.needs {
		if !slices.Contains(at.demo, name) {
			missing = append(missing, name+" of examples/payments")
		}
	}
	if r.tenants && at.Tenant == "" {
		missing = append(missing, "the header that says whose key it is")
	}
	return missing
}
