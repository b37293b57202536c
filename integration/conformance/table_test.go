package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// table is what is printed at the end. Dialects are in the order in which they were added, whichever
// ends first.
var table report

type report struct {
	given bool // the servers were ours, on a Redis that was given
	mu    sync.Mutex
	walks []*results
}

// results are one walk's, in the order of its rows, and until a row has been asked it says so.
type results struct {
	contract *contract
	rows     []result
}

// A result passes unless it was not asked or differs.
type result struct {
	row      string
	notAsked string
	diffs    []string
}

func (r *report) add(c *contract) *results {
	r.mu.Lock()
	defer r.mu.Unlock()
	walk := &results{contract: c}
	for _, row := range rows {
		if row.about(c) {
			walk.rows = append(walk.rows, result{row: row.name, notAsked: "not asked"})
		}
	}
	r.walks = append(r.walks, walk)
	return walk
}

func (r *results) note(got result) {
	i := slices.IndexFunc(r.rows, func(row result) bool { return row.row == got.row })
	r.rows[i] = got
}

// print writes a line for each row, what differs below it, and the closing line.
func (r *report) print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, passed, notAsked := 0, 0, 0
	var asked []*contract
	for _, walk := range r.walks {
		asked = append(asked, walk.contract)
		for _, row := range walk.rows {
			all++
			verdict := "pass"
			switch {
			case row.notAsked != "":
				verdict = row.notAsked
				notAsked++
			case len(row.diffs) > 0:
				verdict = "DIFF"
			default:
				passed++
			}
			fmt.Fprintf(w, "%-12s  %-34s  %s\n", walk.contract.label(), row.row, verdict)
			for _, diff := range row.diffs {
				fmt.Fprintln(w, "    "+strings.ReplaceAll(diff, "\n", "\n    "))
			}
		}
	}
	if all == 0 {
		return
	}
	fmt.Fprintf(w, "conformance: %d of %d rows pass", passed, all)
	if notAsked > 0 {
		fmt.Fprintf(w, ", %d not asked", notAsked)
	}
	fmt.Fprintf(w, " (%s)", strings.Join(dialects(asked), ", "))
	if r.given {
		fmt.Fprintf(w, " on the Redis of %s", redisURL)
	}
	fmt.Fprintln(w)
}
