package board

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// figures are what the overview shows.
type figures struct {
	Faults []string
	Known  bool // anything at all
	AsOf   time.Time
	Walk   string // how far, how long
	Slow   bool   // what lives shorter than a walk may not show

	Claimed, Abandoned, Done, Foreign tally
	InFlight, Left, Records, Strange  []row // the oldest of each state
	Again                             int64 // claims of a second attempt or later
	Renewed                           int64
	Compared                          bool
	Chart                             chart
	Nodes                             []nodeView
	Summary                           string // for those who listen
}

type nodeView struct {
	lock.Node
	Claims, Abandoned, Records int64
	Percent                    int // of memory; -1: there is no bound
	Word, Fault                string
}

// figuresOf makes figures of what is seen.
func (b *Board) figuresOf(s *sight, now time.Time) figures {
	f := figures{AsOf: now}
	shards := s.shards()
	f.Known = shards != nil
	f.faults(s, b.cfg.Reason, now)
	var minutes [chartSpan]minute
	for _, shard := range shards {
		for state, into := range map[replay.KeyState]*tally{replay.KeyClaimed: &f.Claimed, replay.KeyAbandoned: &f.Abandoned,
			replay.KeyDone: &f.Done, replay.KeyForeign: &f.Foreign} {
			t := shard.tallies[state]
			into.Keys += t.Keys
			into.Bytes += t.Bytes
			into.Oldest = max(into.Oldest, t.Oldest)
		}
		f.Again += shard.again
		for i, m := range shard.minutes {
			minutes[i] = minutes[i].plus(m)
		}
	}
	f.Chart = chartOf(minutes)
	f.InFlight, f.Left = s.rows(replay.KeyClaimed), s.rows(replay.KeyAbandoned)
	f.Records, f.Strange = s.rows(replay.KeyDone), s.rows(replay.KeyForeign)
	f.Nodes = nodesOf(s, shards, b.cfg.Reason)
	f.walked(s, now)
	f.Summary = fmt.Sprintf("%s in flight, %s abandoned", screen.Thousands(f.Claimed.Keys), screen.Thousands(f.Abandoned.Keys))
	return f
}

// faults are what keeps the figures from being all, and of now.
func (f *figures) faults(s *sight, reason func(error) string, now time.Time) {
	ago := ""
	if s.last != nil {
		ago = fmt.Sprintf(" The figures below are %s old.", screen.Age(now.Sub(s.last.ended)))
	}
	switch {
	case s.noList != nil:
		f.Faults = append(f.Faults, "Redis can't be asked: "+reason(s.noList)+"."+ago)
	case s.fault != nil:
		f.Faults = append(f.Faults, "The keys can't all be seen: "+reason(s.fault)+"."+ago)
	}
	for _, n := range s.nodes {
		if n.Err != nil && s.noList == nil {
			fault := fmt.Sprintf("%s can't be asked: %s.", n.Addr, reason(n.Err))
			if shard := s.shards()[n.Addr]; shard != nil {
				fault += fmt.Sprintf(" What is shown of it is %s old.", screen.Age(now.Sub(shard.walked)))
			}
			f.Faults = append(f.Faults, fault)
		}
	}
	if s.last == nil {
		return
	}
	for _, addr := range slices.Sorted(maps.Keys(s.last.shards)) {
		if shard := s.last.shards[addr]; shard.missed != nil && !slices.ContainsFunc(s.nodes, func(n lock.Node) bool { return n.Addr == addr && n.Err != nil }) {
			f.Faults = append(f.Faults, fmt.Sprintf("The keys of %s could not all be walked: %s.", addr, reason(shard.missed)))
		}
	}
}

// walked says how the figures have been made.
func (f *figures) walked(s *sight, now time.Time) {
	if s.last != nil {
		f.Renewed, f.Compared = int64(s.last.renewed), s.last.compared
		f.Walk = fmt.Sprintf("%s of %s keys walked in %s, %s ago",
			screen.Thousands(s.last.progress.Seen), screen.Thousands(s.last.progress.Total), screen.Age(s.last.ended.Sub(s.last.begun)), screen.Age(now.Sub(s.last.ended)))
	}
	f.Slow = s.last != nil && s.last.ended.Sub(s.last.begun) > slow || s.now != nil && now.Sub(s.now.begun) > slow
	if s.now != nil {
		p := s.now.progress
		share := int64(0)
		if p.Total > 0 {
			share = min(100, 100*p.Walked/p.Total)
		}
		f.Walk = fmt.Sprintf("%d %% of %s keys walked", share, screen.Thousands(p.Total)) + prefixed("; before that, ", f.Walk)
	}
}

// slow is how long a walk may take before a page says what that means.
const slow = 10 * time.Second

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func nodesOf(s *sight, shards map[string]*shard, reason func(error) string) (all []nodeView) {
	for _, n := range s.nodes {
		v := nodeView{Node: n, Percent: -1, Word: "up"}
		if shard := shards[n.Addr]; shard != nil {
			v.Claims, v.Abandoned = shard.tallies[replay.KeyClaimed].Keys, shard.tallies[replay.KeyAbandoned].Keys
			v.Records = shard.tallies[replay.KeyDone].Keys
		}
		if n.MaxMemory > 0 {
			v.Percent = int(min(100, 100*n.UsedMemory/n.MaxMemory))
		}
		switch {
		case n.Err != nil:
			v.Word, v.Fault = "down", reason(n.Err)
		case s.noList != nil:
			v.Word = "unknown"
		case v.Percent >= 90:
			v.Word = "nearly full"
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b nodeView) int { return cmp.Compare(a.Addr, b.Addr) })
	return all
}

// A chart has a bar for each of the last minutes, the oldest first.
type chart struct {
	Bars        []bar
	Most        int64 // requests in one minute
	Last, Total minute
}

// A bar is drawn from below in a field of 100: its parts' heights, and where they begin.
type bar struct {
	X                     int
	DoneY, Done           float64
	ClaimedY, Claimed     float64
	AbandonedY, Abandoned float64
}

func (m minute) plus(n minute) minute {
	return minute{m.Done + n.Done, m.Claimed + n.Claimed, m.Abandoned + n.Abandoned}
}

func chartOf(minutes [chartSpan]minute) chart {
	c := chart{Last: minutes[0]}
	for _, m := range minutes {
		c.Most = max(c.Most, m.Sum())
		c.Total = c.Total.plus(m)
	}
	for i, m := range slices.Backward(minutes[:]) {
		height := func(n int64) float64 {
			if n == 0 {
				return 0
			}
			return max(1, float64(n)*96/float64(c.Most)) // one is to be seen beside a thousand
		}
		b := bar{X: (chartSpan - 1 - i) * 10, Done: height(m.Done), Claimed: height(m.Claimed), Abandoned: height(m.Abandoned)}
		b.DoneY = 100 - b.Done
		b.ClaimedY = b.DoneY - b.Claimed
		b.AbandonedY = b.ClaimedY - b.Abandoned
		c.Bars = append(c.Bars, b)
	}
	return c
}
