package board

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

const (
	maxRows   = 50      // of one state that are shown
	maxLeases = 100_000 // that a walk remembers
	chartSpan = 60      // minutes
)

// A walk is what was found by one walk of all keys.
type walk struct {
	begun, ended time.Time
	progress     lock.Progress
	shards       map[string]*shard // by node
	leases       map[string]lease  // by Redis key
	before       *walk             // nil, once this one has ended
	renewed      int               // leases that have been renewed since the walk before
	compared     bool              // with a walk before
}

type lease struct {
	mark string
	left time.Duration
}

// A shard is what was found at one primary.
type shard struct {
	walked  time.Time // when it was begun to, by this machine's clock
	tallies map[replay.KeyState]tally
	oldest  map[replay.KeyState]*list
	minutes [chartSpan]minute // by how long ago
	again   int64             // claims of a second attempt or later
	missed  error             // why this is of a walk before, or a part
}

type tally struct {
	Keys, Bytes int64
	Oldest      time.Duration
}

// A minute counts requests that began in it, by what has become of them.
type minute struct{ Done, Claimed, Abandoned int64 }

func (m minute) Sum() int64 { return m.Done + m.Claimed + m.Abandoned }

// A row is what is kept of an entry.
type row struct {
	Key, Digest, Node string
	State             replay.KeyState
	Attempt           int
	Age, Left         time.Duration
	Remembered        time.Duration
	Size              int64
	Fault             string
	At                time.Time
	Renewed, Stale    bool
}

func rowOf(e replay.Entry) row {
	return row{Key: strings.Clone(e.Key), Digest: strings.Clone(e.Digest), Node: e.Node, State: e.State, Attempt: e.Attempt,
		Age: e.Age, Left: e.Left, Remembered: e.Remembered, Size: e.Size, Fault: e.Fault, At: e.At}
}

// ID is the row's on the page, whatever is in its Redis key: the digest, which not all keys have.
func (r row) ID() string {
	if r.Digest != "" {
		return r.Digest
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(r.Key)))
}

// older puts the oldest first.
func older(a, b row) int { return cmp.Or(cmp.Compare(b.Age, a.Age), cmp.Compare(a.Key, b.Key)) }

// A list has the oldest rows, in their order.
type list struct{ rows []row }

func (l *list) add(r row) {
	i, _ := slices.BinarySearchFunc(l.rows, r, older)
	if i < maxRows {
		l.rows = slices.Insert(l.rows, i, r)
		l.rows = l.rows[:min(len(l.rows), maxRows)]
	}
}

func newWalk(before *walk) *walk {
	return &walk{begun: time.Now(), shards: map[string]*shard{}, leases: map[string]lease{}, before: before, compared: before != nil}
}

func (w *walk) shard(node string) *shard {
	s := w.shards[node]
	if s == nil {
		s = &shard{walked: time.Now(), tallies: map[replay.KeyState]tally{}, oldest: map[replay.KeyState]*list{}}
		for _, state := range replay.KeyState("").Words()[1:] {
			s.oldest[state] = &list{}
		}
		w.shards[node] = s
	}
	return s
}

func (w *walk) add(e replay.Entry) {
	s := w.shard(e.Node)
	t := s.tallies[e.State]
	t.Keys++
	t.Bytes += e.Size
	t.Oldest = max(t.Oldest, e.Age)
	s.tallies[e.State] = t
	if e.Attempt > 1 {
		s.again++
	}
	if ago := int(e.Age / time.Minute); e.Fence > 0 && ago < chartSpan {
		m := &s.minutes[ago]
		switch e.State {
		case replay.KeyDone:
			m.Done++
		case replay.KeyClaimed:
			m.Claimed++
		case replay.KeyAbandoned:
			m.Abandoned++
		}
	}
	r := rowOf(e)
	if e.State == replay.KeyClaimed && len(w.leases) < maxLeases {
		l := lease{e.Mark(), e.Left}
		if w.before != nil {
			then, known := w.before.leases[e.Key]
			r.Renewed = known && then.mark == l.mark && l.left > then.left
		}
		if r.Renewed {
			w.renewed++
		}
		w.leases[r.Key] = l
	}
	s.oldest[e.State].add(r)
}

// missed keeps what the walk before has found at a node that could not be walked, or only in part.
func (w *walk) missed(node string, why error) {
	s := w.shard(node)
	if w.before != nil && w.before.shards[node] != nil {
		s = w.before.shards[node].copied()
	}
	s.missed = why
	for _, l := range s.oldest {
		for i := range l.rows {
			l.rows[i].Stale = true
		}
	}
	w.shards[node] = s
}

// copied is what there is of a walk that goes on.
func (w *walk) copied() *walk {
	c := *w
	c.before, c.leases = nil, nil
	c.shards = map[string]*shard{}
	for node, s := range w.shards {
		c.shards[node] = s.copied()
	}
	return &c
}

func (s *shard) copied() *shard {
	c := *s
	c.tallies = maps.Clone(s.tallies)
	c.oldest = map[replay.KeyState]*list{}
	for state, l := range s.oldest {
		c.oldest[state] = &list{slices.Clone(l.rows)}
	}
	return &c
}
