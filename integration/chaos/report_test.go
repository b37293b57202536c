package chaos

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A row is a scenario's in the table.
type row struct {
	scenario, mode string
	count          count
	served         time.Duration // from a promotion to the first success on the machine that was last; 0 if there was none
}

var table struct {
	sync.Mutex
	rows []row
}

// report adds a row to the table, and fails the test for what must not be in any scenario.
func report(t *testing.T, r row) {
	t.Helper()
	table.Lock()
	table.rows = append(table.rows, r)
	table.Unlock()
	c := r.count
	t.Logf("%s, %s: %d keys, %d requests, %d runs, %d of them told, %d untold, %d duplicates, %d turned away, %d differ (%d unexcused), %d false 409, %d errors, longest %v, served after %v",
		r.scenario, r.mode, c.keys, c.requests, c.runs, c.told, c.untold, c.duplicates, c.turnedAway, c.differ, c.unexcused, c.false409, c.errors, c.longest, r.served)
	for _, note := range c.notes {
		t.Log(note)
	}
	must := func(what string, n int) {
		t.Helper()
		if n != 0 {
			t.Errorf("%s, %s: %d %s", r.scenario, r.mode, n, what)
		}
	}
	must("keys that a client gave up", c.unanswered)
	must("answers that nobody should get", c.unexpected)
	must("false 409", c.false409)
	if c.runs < c.keys {
		t.Errorf("%s, %s: %d runs for %d keys: an answer came from nowhere", r.scenario, r.mode, c.runs, c.keys)
	}
	if r.mode != effects {
		return
	}
	r.exact(t)
	must("answers without an effect", c.unbooked)
	must("answers that don't say that they are replays", c.unmarked)
	if c.payments != c.keys {
		t.Errorf("%s, %s: %d payments for %d keys", r.scenario, r.mode, c.payments, c.keys)
	}
}

// exact fails the test unless every key took effect once, or again after it was told.
func (r row) exact(t *testing.T) {
	t.Helper()
	if r.count.duplicates > 0 || r.count.differ > 0 {
		t.Errorf("%s, %s: %d duplicate effects, %d answers that differ, want none", r.scenario, r.mode, r.count.duplicates, r.count.differ)
	}
}

// once fails the test unless every key ran once.
func (r row) once(t *testing.T) {
	t.Helper()
	r.exact(t)
	if r.count.runs != r.count.keys || r.count.turnedAway > 0 {
		t.Errorf("%s, %s: %d runs, %d told, %d turned away: want one for each of %d keys", r.scenario, r.mode, r.count.runs, r.count.told, r.count.turnedAway, r.count.keys)
	}
}

// felt fails the test unless the fault was there: n is how often it showed.
func (r row) felt(t *testing.T, n int) {
	t.Helper()
	if n == 0 {
		t.Errorf("%s, %s: nobody noticed, so this has not been about anything", r.scenario, r.mode)
	}
}

func printTable(w io.Writer) {
	table.Lock()
	defer table.Unlock()
	if len(table.rows) == 0 {
		return
	}
	slices.SortStableFunc(table.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.scenario, b.scenario), cmp.Compare(slices.Index(columns, a.mode), slices.Index(columns, b.mode)))
	})
	printColumns(w)
	fmt.Fprint(w, `
| scenario | mode | requests | runs | told reruns | untold reruns | duplicate effects | answers that differ | false 409s | errors, retried | longest outage of a key | served after promotion |
|---|---|---|---|---|---|---|---|---|---|---|---|
`)
	for _, r := range table.rows {
		c, served := r.count, ""
		if r.served > 0 {
			served = seconds(r.served)
		}
		fmt.Fprintf(w, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %d | %s | %s |\n", r.scenario, r.mode,
			c.requests, c.runs, c.told, c.untold, c.duplicates, c.differ, c.false409, c.errors, seconds(c.longest), served)
	}
	fmt.Fprintln(w)
}

// columns are all modes, in the order of the tables.
var columns = []string{"default", "acked", effects}

// printColumns prints a table with a column for each mode: what must be zero in the last.
func printColumns(w io.Writer) {
	fmt.Fprintf(w, "\nduplicate effects + answers that differ, of so many requests\n\n| scenario | %s |\n|---|---|---|---|\n", strings.Join(columns, " | "))
	for rest := table.rows; len(rest) > 0; {
		scenario, cells := rest[0].scenario, make([]string, len(columns))
		for ; len(rest) > 0 && rest[0].scenario == scenario; rest = rest[1:] {
			c := rest[0].count
			cells[slices.Index(columns, rest[0].mode)] = fmt.Sprintf("%d + %d of %d", c.duplicates, c.differ, c.requests)
		}
		fmt.Fprintf(w, "| %s | %s |\n", scenario, strings.Join(cells, " | "))
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
