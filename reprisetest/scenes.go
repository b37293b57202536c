package reprisetest

import "testing"

// A scene is something that happens in production.
type scene struct {
	promise string // the subtest's name
	rule    string // why it matters, a sentence for whoever sees it fail
	cures   []cure // any of them cures it
	whole   bool   // it needs Subject.Another: only a request that the handler takes finds the effect
	play    func(*stage)
}

// run plays the scene, and returns a report of what went wrong, if anything did.
func (c scene) run(t *testing.T, subject Subject, want map[string]int) (report string) {
	t.Helper()
	s := newStage(t, subject)
	defer s.close()
	c.play(s)
	s.end()
	return s.judge(c, want)
}

var scenes = []scene{
	{
		promise: "a duplicate repeats nothing",
		rule:    "A request that was answered is never run again: a retry gets the answer that is stored.",
		cures:   []cure{inside, storable},
		play: func(s *stage) {
			a := s.process("A")
			s.send(a)
			s.send(s.process("B"))
			s.send(a)
		},
	}, {
		promise: "twenty at once make one",
		rule:    "Of requests under one key that come at once, one runs.",
		cures:   []cure{inside, oneKey},
		play:    func(s *stage) { s.crowd(20, s.process("A"), s.process("B")) },
	}, {
		promise: "a client that hangs up loses nothing",
		rule:    "Work goes on when its client has gone, or stops before it has done anything: its retry gets the answer.",
		cures:   []cure{runOn, lookUp, reconcile, once, deriveKey},
		play: func(s *stage) {
			s.goOn(s.sendAndHangUp(s.process("A")))
			s.send(s.process("B"))
		},
	}, {
		promise: "a crash before the effect loses nothing",
		rule:    "An attempt that died may have done nothing: the next one must find that out, and do the work.",
		cures:   []cure{lookUp, reconcile, once},
		play: func(s *stage) {
			q := s.sendStopped(s.process("A"), granted)
			s.die(q.process)
			s.lapse()
		},
	}, {
		promise: "a crash after the effect repeats nothing",
		rule:    "An attempt that died may have done everything but answer: the next one must find that out, and not do it again.",
		cures:   []cure{lookUp, reconcile, once, deriveKey},
		play: func(s *stage) {
			q := s.sendStopped(s.process("A"), ended)
			s.die(q.process)
			s.lapse()
		},
	}, {
		promise: "a lease lost before the effect repeats nothing",
		rule:    "A process that paused may act after it lost the key: what it does must not come after what the next holder did.",
		cures:   []cure{fence, once, deriveKey},
		play: func(s *stage) {
			q := s.sendStopped(s.process("A"), granted)
			s.lapse()
			s.send(s.process("B"))
			s.goOn(q)
		},
	}, {
		promise: "a lease lost after the effect repeats nothing",
		rule:    "A process that paused may have done everything but answer: the next holder must find that out, and both must say the same.",
		cures:   []cure{lookUp, reconcile, once, deriveKey},
		play: func(s *stage) {
			q := s.sendStopped(s.process("A"), ended)
			s.lapse()
			s.send(s.process("B"))
			s.goOn(q)
		},
	}, {
		promise: "a Redis that forgets the answer repeats nothing",
		rule:    "A failover, an eviction or a FLUSHALL can forget a stored answer: then a retry is a first request again, attempt 1.",
		cures:   []cure{once, deriveKey},
		play: func(s *stage) {
			s.send(s.process("A"))
			s.forget()
			s.send(s.process("B"))
		},
	}, {
		promise: "a Redis that forgets the claim repeats nothing",
		rule:    "A failover, an eviction or a FLUSHALL can forget who holds a key: then two run at once, and neither knows, since both are attempt 1.",
		cures:   []cure{fence, once, deriveKey},
		play: func(s *stage) {
			q := s.sendStopped(s.process("A"), granted)
			s.forget()
			s.send(s.process("B"))
			s.goOn(q)
		},
	}, {
		promise: "a Redis that is down repeats nothing",
		rule:    "Without Redis nobody knows what runs: requests are refused or, where OnStoreDown is to run, must not repeat each other.",
		cures:   []cure{refuse, once, deriveKey},
		play: func(s *stage) {
			a, b := s.process("A"), s.process("B")
			s.setDown(true)
			s.send(a)
			s.send(b)
			s.setDown(false)
			s.send(b)
		},
	}, {
		promise: "a Redis that goes down repeats nothing",
		rule:    "Without Redis nobody knows what has run: retries are refused or, where OnStoreDown is to run, must not repeat it.",
		cures:   []cure{refuse, once, deriveKey},
		play: func(s *stage) {
			a, b := s.process("A"), s.process("B")
			s.send(a)
			s.setDown(true)
			s.send(b)
			s.setDown(false)
			s.send(b)
		},
	}, {
		promise: "another request under the key does nothing",
		rule:    "A key belongs to its first request: another one gets neither its answer nor an effect of its own.",
		cures:   []cure{fingerprint, inside},
		play: func(s *stage) {
			q := s.sendStopped(s.process("A"), granted)
			b := s.process("B")
			s.sendAnother(b)
			s.goOn(q)
			s.sendAnother(b)
		},
	}, {
		promise: "another request does nothing when Redis has forgotten the first",
		rule:    "A key belongs to its first request even if Redis no longer knows that: where the effect is remembered, so must be whose it was.",
		cures:   []cure{once, deriveKey},
		whole:   true,
		play: func(s *stage) {
			s.send(s.process("A"))
			s.forget()
			s.sendAnother(s.process("B"))
		},
	},
}

// A cure is a tool, and how it is used.
type cure string

const (
	inside    cure = "Put all that must happen once inside the adapter: what middleware around it does is done for every request."
	storable  cure = "Have the answer stored: no Stores or StoresFunc that leaves it out, no Retry-After on it, no larger body than MaxResponse."
	oneKey    cure = "Have one adapter for all: one engine Prefix, and a Scope that is the same for the same caller on every machine."
	runOn     cure = "OnHangup: replay.RunOn, the default, lets the work go on without its client."
	lookUp    cure = "The attempt: where replay.AttemptFrom(ctx) has a Number of 2 or more, look for what an earlier attempt did before you do anything."
	reconcile cure = "OnAbandoned: replay.AskReconcile, with a Reconcile that looks for what an earlier attempt did and answers in its place."
	fence     cure = "The fence: let the database refuse a write whose replay.Attempt.Fence is smaller than one that it has seen, as effect.Fence does."
	once      cure = "effect.Do: one row in the transaction of your own database that is the effect, which then can't happen twice."
	deriveKey cure = "replay.DeriveKey: for an effect at another company's API, a key of theirs that is the same whenever this request runs."
	refuse    cure = "OnStoreDown: replay.Refuse, the default, does nothing while Redis is down."

	fingerprint cure = "Let the Fingerprint see all that tells two requests apart: check its Omit and Headers."
)
