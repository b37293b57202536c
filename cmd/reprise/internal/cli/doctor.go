package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// An examination is one line of doctor's.
type examination struct {
	Node  string `json:"node,omitempty"` // empty: all nodes together
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
	Cure  string `json:"cure,omitempty"`

	Trips  int     `json:"round_trips,omitempty"` // of each request
	Median float64 `json:"p50_ms,omitempty"`
	Max    float64 `json:"max_ms,omitempty"`
}

// A doctor examines a site.
type doctor struct {
	*site
	trips *trips
	lines []examination
	shown int // how many of the lines
}

func (p *program) doctorCommand() *cobra.Command {
	return p.command(time.Minute, &cobra.Command{
		Use:     "doctor",
		Short:   "Requests through every primary: round trips, times, clocks",
		GroupID: settings,
		Example: "  reprise doctor\n" +
			"  reprise doctor --json | jq '.[] | select(.ok | not)'",
		Long: "It sends scratch requests through each primary, under keys of its own that it deletes, and counts " +
			"their round trips: 2 for a first request, 1 for a replay. Clocks are compared by the TIME of every " +
			"node, replicas too.",
	}, func(ctx context.Context, _ []string) error {
		s, err := p.open()
		if err != nil {
			return err
		}
		defer s.close()
		d := &doctor{site: s, lines: []examination{}, trips: countTrips(s.client)} // of every node that is found from here on
		err = d.examineAll(ctx, p)
		if p.json {
			p.print(d.lines[:d.shown], nil)
		}
		return err
	})
}

// examineAll examines node by node, and shows what it has found of each before it goes on.
func (d *doctor) examineAll(ctx context.Context, p *program) error {
	show := func() error {
		if err := ended(ctx); err != nil {
			return err // which the last lines are of
		}
		if !p.json {
			p.printExaminations(d.lines[d.shown:])
		}
		d.shown = len(d.lines)
		return nil
	}
	var nodes []node
	if err := d.learn(ctx); err == nil {
		nodes, _ = d.primaries(ctx)
	} // what keeps them from being listed is among the findings
	findings, unavailable := d.findings(ctx)
	for _, n := range nodes {
		d.examine(ctx, n, findings)
		if err := show(); err != nil {
			return err
		}
	}
	d.elsewhere(nodes, findings)
	if len(nodes) > 0 {
		d.compareClocks(ctx)
	}
	if err := show(); err != nil {
		return err
	}
	switch ill := d.ill(); {
	case unavailable != nil:
		return d.unavailable(ctx, "examine anything", "", errNoNode)
	case ill > 0:
		return &fault{found, counted(ill, "line is not ok", "lines are not ok"), ""}
	}
	return nil
}

func (d *doctor) ill() (n int) {
	for _, e := range d.lines {
		if !e.OK {
			n++
		}
	}
	return n
}

func (d *doctor) note(e examination) { d.lines = append(d.lines, e) }

// rounds is how often a thing is measured.
const rounds = 20

// examine examines one primary, and stops where it doesn't answer.
func (d *doctor) examine(ctx context.Context, n node, findings []*lock.SettingError) {
	clock, err := d.read(ctx, n)
	if err != nil {
		d.note(examination{Node: n.addr, What: "answers", Found: d.reason(err),
			Cure: d.cure(err) + "; until it answers, or another takes over for it, its keys get 503"})
		return
	}
	d.note(clock.times.line(n.addr, "answers", 0))
	d.requests(ctx, n)
	d.note(examination{Node: n.addr, What: "clock", OK: true, Found: clock.String()})
	d.rights(n, findings)
}

// requests sends scratch requests whose keys are the node's, and then each again.
func (d *doctor) requests(ctx context.Context, n node) {
	scope := "reprise doctor " + rand.Text() // nobody else's
	var keys []string
	for i := 0; len(keys) < rounds+1 && i < 1<<18; i++ {
		key := fmt.Sprint(i)
		if at, err := d.nodeOf(ctx, d.redisKey(scope, key)); err == nil && at.addr == n.addr {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		d.note(examination{Node: n.addr, What: "first request", OK: true, Found: "it serves no slots"})
		return
	}
	defer func() {
		for _, key := range keys {
			_ = n.client.Del(ctx, d.redisKey(scope, key)).Err() // or they expire within a minute
		}
	}()
	first, err := d.send(ctx, scope, keys, false)
	if err != nil {
		d.note(examination{Node: n.addr, What: "first request", Found: d.reason(err), Cure: "requests like this get 503: see the lines below"})
		return
	}
	d.note(first.line(n.addr, "first request", 2))
	again, err := d.send(ctx, scope, keys, true)
	if err != nil {
		d.note(examination{Node: n.addr, What: "replay", Found: d.reason(err), Cure: "retries like this get an error: see the lines below"})
		return
	}
	d.note(again.line(n.addr, "replay", 1))
}

func (s *site) redisKey(scope, key string) string {
	return s.cfg.Prefix + ":" + s.engine.Digest(scope, key)
}

// send sends a request under each key. The first isn't measured: it may have to load the scripts.
func (d *doctor) send(ctx context.Context, scope string, keys []string, replayed bool) (measures, error) {
	var m measures
	for i, key := range keys {
		before, start := d.trips.load(), time.Now()
		result, err := d.engine.Do(ctx, replay.Request{Scope: scope, Key: key}, func(context.Context) (replay.Answer, error) {
			return replay.Answer{Value: "scratch", Retention: max(time.Minute, d.cfg.Lock.TTL)}, nil
		})
		switch {
		case err != nil:
			return m, err
		case result.Replayed != replayed && !d.cfg.Shadow:
			return m, fmt.Errorf("replayed: got %v, want %v", result.Replayed, replayed)
		case i > 0:
			m.add(time.Since(start), d.trips.load()-before)
		}
	}
	return m, nil
}

// channels are the settings by which a finding is one of rights for channels.
var channels = []string{"SSUBSCRIBE", "SUNSUBSCRIBE", "SPUBLISH"}

// rights tells what check has found at a node, in three lines or more.
func (d *doctor) rights(n node, findings []*lock.SettingError) {
	kinds := []string{"scripts", "channels", "settings"}
	ok := map[string]string{"scripts": "each runs, by its text and by its digest", "channels": "what scripts publish is heard",
		"settings": "as they have to be"}
	for _, kind := range kinds {
		fine := true
		for _, f := range findings {
			if f.Where == n.addr && kindOf(f.Setting) == kind {
				fine = false
				d.note(sick(n.addr, kind, f))
			}
		}
		if fine {
			d.note(examination{Node: n.addr, What: kind, OK: true, Found: ok[kind]})
		}
	}
}

func kindOf(setting string) string {
	switch {
	case slices.Contains(channels, setting):
		return "channels"
	case setting == "ACL" || setting != "INFO" && setting[0] >= 'A' && setting[0] <= 'Z':
		return "scripts" // a command, which scripts use
	}
	return "settings"
}

func sick(where, what string, f *lock.SettingError) examination {
	return examination{Node: where, What: what, Found: fmt.Sprintf("%s: got %s, want %s", f.Setting, f.Got, f.Want), Cure: f.Cure}
}

// elsewhere notes what was found of other things than nodes that answer: the client, the cluster.
func (d *doctor) elsewhere(nodes []node, findings []*lock.SettingError) {
	for _, f := range findings {
		if !slices.ContainsFunc(nodes, func(n node) bool { return n.addr == f.Where }) {
			d.note(sick(f.Where, "settings", f))
		}
	}
}

func (p *program) printExaminations(lines []examination) {
	at := "none yet"
	t := &screen.Table{}
	for _, e := range lines {
		if e.Node != at {
			p.out.Print(t)
			t, at = &screen.Table{}, e.Node
			p.out.Println(screen.Strong, cmp.Or(e.Node, "all nodes"))
		}
		verdict := screen.Cell{Text: "  ok", Style: screen.Good}
		if !e.OK {
			verdict = screen.Cell{Text: "  NOT OK", Style: screen.Bad}
		}
		t.Add(verdict, screen.Text(e.What), screen.Text(e.Found))
		if e.Cure != "" {
			t.Add(screen.Text(""), screen.Text(""), screen.Cell{Text: e.Cure, Style: screen.Faint})
		}
	}
	p.out.Print(t)
}
