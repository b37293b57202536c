package sim

import (
	"time"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/replay"
)

// Effects is what the work of a day has beside Redis: a database, in which package effect does each
// of its effects once.
type Effects struct {
	Table   effect.Config
	Names   []string // of a request's effects, in their order
	Network StoreNetwork
}

// A StoreNetwork is how likely a statement is to come to grief. For COMMIT it is four times that.
type StoreNetwork struct {
	Lag              time.Duration // of each statement and answer, at most
	Lose, LoseAnswer float64       // the connection breaks before the statement arrives, or after it
	Late             float64       // it breaks, and the statement arrives all the same
	Refuse           float64       // a deadlock, or a serialization failure
	Slow             float64
	Notice           time.Duration // until the database misses who has gone, or does what is slow, at most
}

// An Effect is one that was committed, as the ledger of the database has it.
type Effect struct {
	Key, Body, Name string
	Call            int           // whose work has had it
	Row             time.Duration // the time in its row, by which it is purged
	At              time.Duration
}

// A Deed is what effect.Do said.
type Deed struct {
	Name         string
	Began, Ended time.Duration
	Value        string
	Result       effect.Result
	Err          error
	Left         bool            // the context had ended
	Tried        []time.Duration // when its function was called
}

// An Account is a write that is not once per key, under Fence.
type Account struct {
	Key   string
	Call  int
	Fence int64
	At    time.Duration
}

// addEffects gives the day a database, a Redis that forgets more than it does elsewhere, and more
// work without a claim.
func (s *Schedule) addEffects(d dice, day time.Duration) {
	ttl := s.Engine.Lock.TTL
	s.Engine.OnStoreDown = pick(d, replay.RunUnguarded, replay.RunUnguarded, replay.Refuse)
	e := &Effects{Names: []string{"charge", "mail"}[:pick(d, 1, 1, 2)]}
	s.Effects = e
	e.Table = effect.Config{
		Dialect:   effect.PostgreSQL,
		Cache:     s.Engine.Cache,
		Retention: s.Engine.Retention + s.Engine.Lock.MaxHold,
	}
	bad := pick(d, 0.0, 0.02, 0.06)
	e.Network = StoreNetwork{
		Lag: pick(d, 300*time.Microsecond, 10*time.Millisecond), Notice: pick(d, ttl/6, 2*ttl),
		Lose: bad * d.Float64(), LoseAnswer: bad * d.Float64(), Late: bad * d.Float64(),
		Refuse: 2 * bad * d.Float64(), Slow: bad * d.Float64(),
	}
	for _, a := range s.Asks {
		a.Inside = pick(d, d.upTo(ttl/8), d.upTo(ttl/8), d.upTo(ttl), d.upTo(3*ttl))
		a.Undo = pick(d, "", "", "", "", fails, panics)
		a.Fenced = d.chance(0.5)
		a.Stalls = d.chance(0.15)
		if d.chance(0.15) {
			a.Dies = pick(d, afterRow, afterEntry, afterKeep, inCommit, afterEffect, beforeCommit)
		}
	}
	for range pick(d, 0, 1, 2, 4) {
		s.Events = append(s.Events, Event{At: d.upTo(day), Slot: d.IntN(s.Slots), For: d.upTo(ttl),
			What: pick(d, restarts, restarts, redisOff, stops, databaseOff, databaseBroken)})
	}
	if d.chance(0.4) {
		for range 1 + d.IntN(2) {
			s.Events = append(s.Events, Event{At: d.upTo(day), What: failsOver, For: d.upTo(ttl / 2)})
		}
	}
	if d.chance(0.3) {
		e.Table.Retention = pick(d, ttl, 2*ttl) // shorter than the record's: then a purge may bring an effect again
		for range 1 + d.IntN(3) {
			s.Events = append(s.Events, Event{At: d.upTo(day + ttl), Slot: d.IntN(s.Slots), What: purge})
		}
	}
}
