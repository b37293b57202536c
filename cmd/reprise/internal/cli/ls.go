package cli

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/replay"
)

// A listed is what ls keeps of an entry: there may be millions, so it is no more than is printed, and
// holds on to nothing of the value.
type listed struct {
	Redis   string          `json:"redis_key"`
	Digest  string          `json:"digest,omitempty"` // by which inspect finds it; empty if it is of another prefix
	State   replay.KeyState `json:"state,omitempty"`  // empty: it isn't known
	Age     int64           `json:"age_ms"`           // 0 of what isn't known
	Fence   int64           `json:"fence,omitempty"`
	Attempt int             `json:"attempt,omitempty"`
	Left    int64           `json:"lease_left_ms,omitempty"`
	Size    int64           `json:"bytes"`
	Node    string          `json:"node"`
	Mark    string          `json:"mark"`
}

func listedOf(e replay.Entry) listed {
	key := strings.Clone(e.Key)
	return listed{key, key[len(key)-len(e.Digest):], e.State, e.Age.Milliseconds(), e.Fence, e.Attempt, e.Left.Milliseconds(), e.Size, e.Node, e.Mark()}
}

// name is what a line calls it: of another prefix than the engine's it is the whole Redis key.
func (l listed) name() string { return cmp.Or(l.Digest, l.Redis) }

// older compares by fence, which is the time of the grant (ages are of different moments of a scan). What
// has none comes last.
func older(a, b listed) int {
	last := func(l listed) uint64 { return uint64(l.Fence - 1) }
	return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.Redis, b.Redis))
}

// The oldest are the oldest of all that were added, so many at most; 0 is all of them.
type oldest struct {
	limit int
	all   []listed // a heap: the youngest first
	added int
}

func (o *oldest) Len() int           { return len(o.all) }
func (o *oldest) Less(i, j int) bool { return older(o.all[i], o.all[j]) > 0 }
func (o *oldest) Swap(i, j int)      { o.all[i], o.all[j] = o.all[j], o.all[i] }
func (o *oldest) Push(x any)         { o.all = append(o.all, x.(listed)) }

func (o *oldest) Pop() any {
	last := o.all[len(o.all)-1]
	o.all = o.all[:len(o.all)-1]
	return last
}

func (o *oldest) add(l listed) {
	o.added++
	switch {
	case o.limit == 0:
		o.all = append(o.all, l)
	case len(o.all) < o.limit:
		heap.Push(o, l)
	case older(l, o.all[0]) < 0:
		o.all[0] = l
		heap.Fix(o, 0)
	}
}

// sorted returns them, the oldest first.
func (o *oldest) sorted() []listed {
	slices.SortFunc(o.all, older)
	return o.all
}

func (p *program) lsCommand() *cobra.Command {
	w, list := &sweep{}, &oldest{}
	var words []string
	c := p.command(time.Hour, &cobra.Command{
		Use:     "ls",
		Short:   "What stands under all keys, the oldest first",
		GroupID: fleet,
		Example: "  reprise ls --state abandoned --older-than 10m\n" +
			"  reprise ls --state claimed --attempt 2 --json | jq -r .digest",
		Long: "It walks the keys of every primary, at a bounded rate, and shows a bar meanwhile on a terminal. Columns " +
			"that a terminal is too narrow for are left out, and names of more than 64 columns cut. With --json " +
			"each entry is a line.",
	}, func(ctx context.Context, _ []string) (err error) {
		if w.States, err = states(words); err != nil {
			return err
		}
		switch {
		case w.LeastAge < 0:
			return misuse("--older-than: got %v, want a time", w.LeastAge)
		case w.LeastAttempt < 0:
			return misuse("--attempt: got %d, want a number", w.LeastAttempt)
		case list.limit < 0:
			return misuse("--limit: got %d, want a number of entries, or 0 for all", list.limit)
		}
		s, err := p.connect(ctx)
		if err != nil {
			return err
		}
		defer s.close()
		err = w.run(ctx, p, s, func(e replay.Entry) { list.add(listedOf(e)) })
		p.printList(list)
		return w.end(ctx, s, err)
	})
	flags := c.Flags()
	flags.StringSliceVar(&words, "state", nil, "only these `states`: "+strings.Join(stateWords(), ", "))
	flags.DurationVar(&w.LeastAge, "older-than", 0, "only what is at least so old")
	flags.IntVar(&w.LeastAttempt, "attempt", 0, "only claims of at least this attempt")
	flags.IntVar(&list.limit, "limit", 1000, "show the oldest so many; 0 is all")
	w.flags(c)
	return c
}

// columns are in the order of their importance.
var columns = []struct {
	name string
	text func(listed) string
}{
	{"digest", listed.name},
	{"state", func(l listed) string { return string(l.State) }},
	{"age", func(l listed) string { return since(l.Age) }},
	{"attempt", func(l listed) string { return number(l.Attempt) }},
	{"lease", func(l listed) string { return since(l.Left) }},
	{"bytes", func(l listed) string { return fmt.Sprint(l.Size) }},
	{"node", func(l listed) string { return l.Node }},
}

func since(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return screen.Age(time.Duration(ms) * time.Millisecond)
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func (p *program) printList(list *oldest) {
	all := list.sorted()
	if p.json {
		for _, l := range all {
			p.line(l)
		}
	} else {
		p.printRows(p.out, all)
	}
	if len(all) < list.added {
		p.notice(fmt.Sprintf("the oldest %s of %s: --limit 0 shows all", screen.Thousands(int64(len(all))), screen.Thousands(int64(list.added))))
	}
}

// printRows writes lines, each of the columns that fit into the screen. A pipe has room for all.
func (p *program) printRows(to *screen.Screen, all []listed) {
	width, _ := to.Size()
	if !to.IsTerminal() {
		width = 1 << 20
	}
	for _, row := range fitting(all, width, to.IsTerminal()) {
		line := ""
		for i, cell := range row {
			if i > 0 {
				line += " "
			}
			line += to.Paint(cell.Style, cell.Text)
		}
		_, _ = fmt.Fprintln(to, strings.TrimRight(line, " "))
	}
}

// longestName is how wide a name may make its column. It is the length of a digest.
const longestName = 64

// fitting are the rows, the head first, in columns that fit. Longer names than most are cut on request,
// or else push what comes after them to the right.
func fitting(all []listed, width int, cut bool) [][]screen.Cell {
	rows := make([][]screen.Cell, len(all)+1)
	used := -1
	for _, c := range columns {
		texts, wide := []string{c.name}, len(c.name)
		for _, l := range all {
			text := screen.Plain(c.text(l))
			if cut {
				text = screen.Cut(text, longestName)
			}
			texts, wide = append(texts, text), max(wide, min(longestName, screen.Width(text)))
		}
		if used+1+wide > width && used > 0 {
			break
		}
		used += 1 + wide
		for i, text := range texts {
			cell := screen.Cell{Text: text + strings.Repeat(" ", max(0, wide-screen.Width(text)))}
			if i == 0 {
				cell.Style = screen.Strong
			} else if c.name == "state" {
				cell.Style = styles[all[i-1].State]
			}
			rows[i] = append(rows[i], cell)
		}
	}
	return rows
}
