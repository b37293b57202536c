package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// A Report is what is printed of all walks. Dialects are in the order in which they were added, whichever
// ends first.
type Report struct {
	On    string // where it was, for the closing line; may be empty
	mu    sync.Mutex
	walks []*Walk
}

// A Result passes unless it was not asked or differs.
type Result struct {
	Row      string
	NotAsked string   // why
	Diffs    []string // what, in several lines each
}

// Verdict is "pass", "DIFF", or why it was not asked.
func (r Result) Verdict() string {
	switch {
	case r.NotAsked != "":
		return r.NotAsked
	case len(r.Diffs) > 0:
		return "DIFF"
	}
	return "pass"
}

// Walk adds a walk, of which nothing has been asked yet.
func (r *Report) Walk(c *Contract) *Walk {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &Walk{contract: c, report: r}
	for _, row := range rows {
		if row.about(c) {
			w.results = append(w.results, Result{Row: row.Name, NotAsked: "not asked"})
		}
	}
	r.walks = append(r.walks, w)
	return w
}

func (w *Walk) note(got Result) {
	w.report.mu.Lock()
	defer w.report.mu.Unlock()
	i := slices.IndexFunc(w.results, func(r Result) bool { return r.Row == got.Row })
	w.results[i] = got
}

// Print writes a line for each row, what differs below it, and the closing line.
func (r *Report) Print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, walk := range r.walks {
		for _, result := range walk.results {
			result.Print(w, walk.contract)
		}
	}
	if len(r.walks) > 0 {
		fmt.Fprintln(w, r.closing())
	}
}

// Print writes a line, and what differs below it.
func (r Result) Print(w io.Writer, c *Contract) {
	fmt.Fprintf(w, "%-12s  %-34s  %s\n", c.Label(), r.Row, r.Verdict())
	for _, diff := range r.Diffs {
		fmt.Fprintln(w, "    "+strings.ReplaceAll(diff, "\n", "\n    "))
	}
}

// Closing is the last line.
func (r *Report) Closing() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closing()
}

func (r *Report) closing() string {
	all, passed, notAsked := 0, 0, 0
	var asked []*Contract
	for _, walk := range r.walks {
		asked = append(asked, walk.contract)
		for _, result := range walk.results {
			all++
			switch {
			case result.NotAsked != "":
				notAsked++
			case len(result.Diffs) == 0:
				passed++
			}
		}
	}
	line := fmt.Sprintf("conformance: %d of %d rows pass", passed, all)
	if notAsked > 0 {
		line += fmt.Sprintf(", %d not asked", notAsked)
	}
	line += " (" + strings.Join(dialects(asked), ", ") + ")"
	if r.On != "" {
		line += " on " + r.On
	}
	return line
}
