package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A Schedule is all that a seed decides beforehand.
type Schedule struct {
	Seed     uint64
	Engine   replay.Config // of every process
	Channels bool          // Redis has sharded channels
	Slots    int           // processes that run at a time; one that dies is replaced
	Network  Network
	Asks     []*Ask
	Events   []Event  // in the order of their time
	Effects  *Effects // nil: the work has its effect in no database
	Visits   []*Visit // of an operator
}

// An Ask is one request: who asks for what, and what its work would do.
type Ask struct {
	ID        int
	At        time.Duration
	Slot      int
	Key, Body string
	Hangup    time.Duration // the client gives up after this; 0: never

	Before, After time.Duration // what the work takes before its effect, and after it
	Obeys         bool          // the work ends with its context
	End           ending
	Pad           int // bytes added to the answer
	Retention     time.Duration
	Reconcile     reconciling
	Dies          stage // where its process dies, if it gets there
	CutOff        bool  // it is told late that it may run, and its process is cut off then

	Inside time.Duration // what each transaction takes after its effect, where there are Effects
	Undo   ending        // how the function of its last effect ends; fails or panics, or else it is well
	Fenced bool          // it also writes what each request writes anew,
	Stalls bool          // before which its process stops for longer than its lease
}

// An ending is how work ends.
type ending string

const (
	answers    ending = "answers"
	releases   ending = "releases"
	abandons   ending = "abandons"
	tombstones ending = "tombstones"
	fails      ending = "fails"
	failsClean ending = "fails clean"
	panics     ending = "panics"
)

// A reconciling is what Reconcile finds out.
type reconciling string

const (
	looksUp reconciling = "looks up" // whether an earlier attempt had its effect
	gaveUp  reconciling = "gave up"
	errs    reconciling = "errs"
)

// A stage is a line of a request's way at which its process may die.
type stage string

const (
	nowhere      stage = ""
	beforeBegin  stage = "before begin"
	afterBegin   stage = "after begin, before its reply"
	beforeEffect stage = "before the effect"
	afterEffect  stage = "after the effect"
	beforeCommit stage = "before commit"
	afterCommit  stage = "after commit, before its reply"
	beforeAnswer stage = "before the answer"

	afterRow   stage = "after the row of its effect"
	afterEntry stage = "after the effect in its transaction"
	afterKeep  stage = "after its value is kept"
	inCommit   stage = "after its transaction's commit, before the database's answer"
)

// An Event befalls a slot's process, or Redis.
type Event struct {
	At, For time.Duration
	What    event
	Slot    int
}

type event string

const (
	dies     event = "dies"
	stops    event = "stops"   // for a while, and goes on
	cutOff   event = "cut off" // connections break, and new ones are refused for a while
	broken   event = "connections break"
	restarts event = "Redis restarts empty"
	redisOff event = "Redis is away"
	noAcks   event = "the replica is away"
	clock    event = "Redis's clock steps" // by For

	failsOver      event = "Redis fails over" // and forgets what was written in For before
	databaseOff    event = "the database is away"
	databaseBroken event = "its connections to the database break"
	purge          event = "purges"
)

// A Network is how likely a trip is to come to grief.
type Network struct {
	Lag                    time.Duration // of each command and reply, at most
	LoseCommand, LoseReply float64
	LateCommand, LateReply float64
	Unheard, Unanswered    float64
	Late                   time.Duration // at most
}

// A dice draws from a seed. Durations are to the nanosecond, so that no two are alike.
type dice struct{ *rand.Rand }

// roll returns the dice of something in particular: whoever asks first, it falls the same.
func roll(seed uint64, of ...any) dice {
	h := fnv.New64a()
	fmt.Fprintln(h, of...)
	return dice{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

func (d dice) span(least, most time.Duration) time.Duration { return least + d.upTo(most-least) }
func (d dice) upTo(most time.Duration) time.Duration        { return 1 + time.Duration(d.Int64N(int64(most))) }
func (d dice) chance(p float64) bool                        { return d.Float64() < p }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// NewSchedule makes up the day that belongs to a seed.
func NewSchedule(seed uint64) *Schedule {
	d := roll(seed, "schedule")
	s := &Schedule{Seed: seed, Slots: 2 + d.IntN(2), Channels: d.chance(0.6)}
	s.Engine = policies(d)
	if !sharesPipelines(seed) {
		s.Engine.Lock.Pipeline = lock.PipelineOff
	}
	ttl := s.Engine.Lock.TTL
	s.Network = network(d, ttl)
	day := ttl * time.Duration(2+d.IntN(3))

	keys := pick(d, 1, 1, 2)
	bodies := pick(d, 1, 2, 2)
	dying := pick(d, 0.0, 0.1, 0.4)
	hangups := pick(d, 0.0, 0.3)
	for id := range 5 + d.IntN(6) {
		a := &Ask{ID: id, At: d.upTo(day), Slot: d.IntN(s.Slots)}
		a.Key, a.Body = string(rune('a'+d.IntN(keys))), "x"
		if bodies == 2 && d.chance(0.25) {
			a.Body = "y"
		}
		if d.chance(hangups) {
			a.Hangup = pick(d, d.upTo(4*s.Network.Lag), d.upTo(ttl))
		}
		a.Before, a.After = works(d, ttl), works(d, ttl)
		a.Obeys = d.chance(0.5)
		a.End = pick(d, answers, answers, answers, answers, answers, releases, abandons, tombstones, fails, fails, failsClean, panics)
		a.Pad = pick(d, 0, 0, 0, 0, 4<<10)
		if d.chance(0.03) {
			a.Pad = 48 << 10 // longer than begin brings along
		}
		a.Retention = pick(d, 0, 0, 0, ttl/2, 3*ttl)
		a.Reconcile = pick(d, looksUp, looksUp, looksUp, gaveUp, errs)
		if d.chance(dying) {
			a.Dies = pick(d, beforeBegin, afterBegin, beforeEffect, afterEffect, beforeCommit, afterCommit, beforeAnswer)
		}
		if d.chance(0.06) {
			a.CutOff, a.Before = true, d.span(ttl, 2*ttl)
		}
		s.Asks = append(s.Asks, a)
	}
	for range pick(d, 0, 1, 2, 4) {
		e := Event{At: d.upTo(day + ttl), Slot: d.IntN(s.Slots), For: d.upTo(2 * ttl)}
		e.What = pick(d, dies, stops, stops, stops, cutOff, cutOff, broken, redisOff)
		if e.What == redisOff {
			e.For /= 2
		}
		s.Events = append(s.Events, e)
	}
	if s.Engine.Lock.Acks > 0 {
		s.Events = append(s.Events, Event{At: d.upTo(day), What: noAcks, For: d.upTo(2 * ttl)})
	}
	if d.chance(0.15) {
		s.Events = append(s.Events, Event{At: d.upTo(day), What: restarts})
	}
	if d.chance(0.3) {
		for range 1 + d.IntN(3) {
			s.Events = append(s.Events, Event{At: d.upTo(day), What: clock, For: pick[time.Duration](d, 1, -1) * d.upTo(time.Hour)})
		}
	}
	if e := roll(seed, "effects"); e.chance(0.2) {
		s.addEffects(e, day)
	}
	if o := roll(seed, "operator"); o.chance(0.2) {
		s.addVisits(o, day+ttl, keys)
	}
	return s
}

// works is how long a part of the work takes: mostly less than a lease, at times more than the
// longest hold.
func works(d dice, ttl time.Duration) time.Duration {
	switch n := d.IntN(20); {
	case n < 12:
		return d.upTo(ttl / 4)
	case n < 19:
		return d.upTo(2 * ttl)
	default:
		return d.upTo(6 * ttl)
	}
}

// sharesPipelines reports whether the scripts of a seed's callers share pipelines: every other time. What
// shares one goes in the order in which callers wake, which a bubble leaves open for the same instant:
// such a seed has the same history again mostly, and not always.
func sharesPipelines(seed uint64) bool { return seed%2 == 0 }

// policies turns to each policy of the library.
func policies(d dice) replay.Config {
	ttl := pick(d, 3*time.Second, 6*time.Second)
	c := replay.Config{
		Lock: lock.Config{
			TTL:     ttl,
			Renew:   pick(d, 0, ttl/6),
			MaxHold: pick(d, 4*ttl, 12*ttl),
			Timeout: pick(d, 0, ttl/6),
			Acks:    pick(d, 0, 0, 0, 1),
		},
		Retention:    pick(d, time.Hour, time.Hour, ttl, 3*ttl),
		Wait:         pick(d, 0, 0, ttl/2, 3*ttl),
		OnAbandoned:  pick(d, replay.RunAgain, replay.RunAgain, replay.RefuseUnknown, replay.AskReconcile),
		OnFailure:    pick(d, replay.AbandonFailed, replay.ReleaseFailed),
		OnHangup:     pick(d, replay.RunOn, replay.StopWithCaller),
		OnStoreDown:  pick(d, replay.Refuse, replay.Refuse, replay.RunUnguarded),
		OnCommitDown: pick(d, replay.AnswerUnstored, replay.WithholdUnstored),
	}
	if d.chance(0.2) {
		c.Cache = cache.Config{SealKeys: [][]byte{make([]byte, 16)}}
	}
	return c.WithDefaults()
}

// network is calm one day in three, when what goes wrong is for the events to say.
func network(d dice, ttl time.Duration) Network {
	n := Network{Lag: pick(d, 300*time.Microsecond, 20*time.Millisecond), Late: pick(d, ttl/3, 2*ttl)}
	bad := pick(d, 0.0, 0.03, 0.1)
	n.LoseCommand, n.LoseReply = bad*d.Float64(), 2*bad*d.Float64()
	n.LateCommand, n.LateReply = bad*d.Float64(), bad*d.Float64()
	n.Unheard, n.Unanswered = bad*d.Float64()/2, bad*d.Float64()/2
	return n
}
