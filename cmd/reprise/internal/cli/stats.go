package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A tally is what is counted of one state.
type tally struct {
	State      replay.KeyState `json:"state"`
	Keys       int64           `json:"keys"`
	Estimate   int64           `json:"estimated_keys,omitempty"` // of a sample: of the whole
	Bytes      int64           `json:"bytes"`                    // of values
	Oldest     int64           `json:"oldest_ms"`
	Retried    int64           `json:"attempts_above_1,omitempty"` // of claims
	Sealed     int64           `json:"sealed,omitempty"`           // of records, as the next two
	Compressed int64           `json:"compressed,omitempty"`
	Tombs      int64           `json:"tombstones,omitempty"`
}

// A census is what stats tells.
type census struct {
	Sample int        `json:"sample,omitempty"` // keys at each primary; 0: all were counted
	Keys   int64      `json:"keys"`             // counted
	States []*tally   `json:"states"`
	Nodes  []*primary `json:"nodes"`
}

// A primary is one, and what is counted of it.
type primary struct {
	Node     string `json:"node"`
	Keys     int64  `json:"keys"`     // in its database, of whatever program
	Counted  int64  `json:"counted"`  // of ours
	Memory   int64  `json:"memory"`   // bytes used
	Limit    int64  `json:"limit"`    // of memory; 0: none
	Replicas int    `json:"replicas"` // that are online
	Fault    string `json:"fault,omitempty"`

	states map[replay.KeyState]int64
}

func (p *program) statsCommand() *cobra.Command {
	w := &sweep{}
	c := p.command(time.Hour, &cobra.Command{
		Use:     "stats",
		Short:   "How many claims and records, how old; each node's memory",
		GroupID: fleet,
		Example: "  reprise stats --sample 10000\n" +
			"  reprise stats --json | jq '.states[] | select(.state == \"abandoned\").keys'",
		Long: "It walks all keys, as ls does, or of each primary as many as --sample says. Estimates from a sample " +
			"hold where nothing else uses the database.",
	}, func(ctx context.Context, _ []string) error {
		if w.Sample < 0 {
			return misuse("--sample: got %d, want a number of keys", w.Sample)
		}
		s, err := p.connect(ctx)
		if err != nil {
			return err
		}
		defer s.close()
		nodes, err := s.engine.Nodes(ctx)
		if err != nil {
			return s.unavailable(ctx, "find the nodes", "", err)
		}
		all := newCensus(s, w.Sample, nodes)
		err = w.run(ctx, p, s, all.count)
		all.estimate()
		p.print(all, func() { p.printCensus(all) })
		return w.end(ctx, s, err)
	})
	c.Flags().IntVar(&w.Sample, "sample", 0, "count so many `keys` of each primary, and estimate the whole")
	w.flags(c)
	return c
}

func newCensus(s *site, sample int, nodes []lock.Node) *census {
	c := &census{Sample: sample}
	for _, state := range replay.KeyState("").Words()[1:] {
		c.States = append(c.States, &tally{State: state})
	}
	for _, n := range nodes {
		at := &primary{Node: n.Addr, Keys: n.Keys, Memory: n.UsedMemory, Limit: n.MaxMemory, Replicas: n.Replicas}
		if n.Err != nil {
			at.Fault = s.reason(n.Err)
		}
		c.Nodes = append(c.Nodes, at)
	}
	return c
}

func (c *census) primary(addr string) *primary {
	for _, s := range c.Nodes {
		if s.Node == addr {
			return s
		}
	}
	s := &primary{Node: addr} // it has come meanwhile
	c.Nodes = append(c.Nodes, s)
	return s
}

func (c *census) tally(state replay.KeyState) *tally {
	for _, t := range c.States {
		if t.State == state {
			return t
		}
	}
	return &tally{} // free, which no scan reports
}

func (c *census) count(e replay.Entry) {
	c.Keys++
	at := c.primary(e.Node)
	at.Counted++
	if at.states == nil {
		at.states = map[replay.KeyState]int64{}
	}
	at.states[e.State]++
	t := c.tally(e.State)
	t.Keys++
	t.Bytes += e.Size
	t.Oldest = max(t.Oldest, e.Age.Milliseconds())
	for n, is := range map[*int64]bool{&t.Retried: e.Attempt > 1, &t.Sealed: e.Sealed, &t.Compressed: e.Compressed, &t.Tombs: e.Tombstone} {
		if is {
			*n++
		}
	}
}

// estimate makes the whole of a sample: each node by itself, because slots aren't of one size.
func (c *census) estimate() {
	if c.Sample == 0 {
		return
	}
	for _, n := range c.Nodes {
		for state, keys := range n.states {
			whole := keys
			if n.Counted >= int64(c.Sample) { // else there are no more
				whole = int64(float64(keys) * float64(max(n.Keys, n.Counted)) / float64(n.Counted))
			}
			c.tally(state).Estimate += whole
		}
	}
}

func (p *program) printCensus(c *census) {
	head := []string{"state", "keys", "bytes", "oldest", ""}
	if c.Sample > 0 {
		head[1] = "sampled"
		head = append(head[:2], append([]string{"about"}, head[2:]...)...)
	}
	t := &screen.Table{Head: head}
	for _, s := range c.States {
		cells := []screen.Cell{{Text: string(s.State), Style: styles[s.State]}, screen.Text(screen.Thousands(s.Keys))}
		if c.Sample > 0 {
			cells = append(cells, screen.Text(screen.Thousands(s.Estimate)))
		}
		t.Add(append(cells, screen.Text(screen.Bytes(s.Bytes)), screen.Text(since(s.Oldest)), screen.Text(s.more()))...)
	}
	p.out.Print(t)
	p.out.Printf("\n")
	t = &screen.Table{Head: []string{"node", "keys", "memory", "of", "replicas", ""}}
	for _, n := range c.Nodes {
		limit := "no limit"
		if n.Limit > 0 {
			limit = screen.Bytes(n.Limit)
		}
		t.Add(screen.Text(n.Node), screen.Text(screen.Thousands(n.Keys)), screen.Text(screen.Bytes(n.Memory)), screen.Text(limit),
			screen.Text(fmt.Sprint(n.Replicas)), screen.Cell{Text: n.Fault, Style: screen.Bad})
	}
	p.out.Print(t)
}

// more is what there is to say of a state besides.
func (t *tally) more() (text string) {
	for _, part := range []struct {
		n    int64
		name string
	}{{t.Retried, "of a second attempt or later"}, {t.Sealed, "sealed"}, {t.Compressed, "compressed"}, {t.Tombs, "tombstones"}} {
		if part.n > 0 {
			if text != "" {
				text += ", "
			}
			text += screen.Thousands(part.n) + " " + part.name
		}
	}
	return text
}
