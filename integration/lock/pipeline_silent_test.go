package lock_test

import (
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Pipelines where round trips have no reply: connections may have died while others live.

// silentAfter is how long scripts wait for those that are under way, if no reply comes.
const silentAfter = 500 * time.Millisecond

// sharesPipelines checks that whoever comes beyond those under way goes in one pipeline, even if these
// take almost as long as it takes until a node is silent.
func sharesPipelines(t *testing.T, m *bubble.Machine, l *lock.Locker) {
	t.Helper()
	free := occupied(t, m, l, silentAfter-time.Nanosecond)
	served(t, asks(t, t.Context(), l, 100))
	free()
	m.WantTrips("begin*100")
}

// Who waits for a silent node goes alone, and so does who comes, until there is a reply.
func TestSilentNodeIsNotWaitedFor(t *testing.T) {
	for name, options := range clients {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				m := f.Machine(wide, options)
				l := m.Locker(lock.Config{})
				m.OnNext(inFlight, "begin", bubble.Unheard)
				start := time.Now()
				dead := asks(t, t.Context(), l, inFlight)
				waiting := burst(t, 100, func(key string) error {
					_, err := l.TryAcquire(t.Context(), key, anyone)
					return err
				})
				if took := time.Since(start); took != silentAfter {
					t.Errorf("they waited until %v, want %v", took, silentAfter)
				}
				for _, err := range waiting {
					if err != nil {
						t.Fatal(err)
					}
				}
				if trips := m.Trips(); times(trips, "begin") != inFlight+100 {
					t.Errorf("round trips: %q, want one for each", trips)
				}
				start = time.Now()
				commit(t, grant(t, l, anyone), lock.StoredNow)
				if took := time.Since(start); took != 0 {
					t.Errorf("who comes waits for %v", took)
				}
				_, errs := dead()
				for _, err := range errs {
					is(t, err, lock.ErrUnavailable)
				}
				time.Sleep(ttl) // until the client has given up, too
				if _, err := l.TryAcquire(t.Context(), "a sign of life", anyone); err != nil {
					t.Fatal(err)
				}
				sharesPipelines(t, m, l)
			})
		})
	}
}

// A round trip that ends without a reply is no sign of life: the next ones may be as dead.
func TestRoundTripsWithoutAReplyLeaveANodeSilent(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{})
		m.OnNext(inFlight, "begin", bubble.Unheard)
		m.OnNext(inFlight, "release", bubble.Unheard) // by which those are handed back
		_, _ = asks(t, t.Context(), l, inFlight)()
		time.Sleep(time.Millisecond)
		m.WantTrips("begin", "begin", "release", "release")
		start := time.Now()
		grant(t, l, anyone)
		if took := time.Since(start); took != 0 {
			t.Errorf("a caller waited for %v", took)
		}
	})
}

// So it is with pipelines that have no reply.
func TestPipelinesWithoutAReplySilenceANode(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{})
		free := occupied(t, m, l, roundTrip)
		dead := asks(t, t.Context(), l, 1000)
		m.OnNext(inFlight, "begin", bubble.Unheard)
		free()
		start := time.Now()
		time.Sleep(time.Millisecond) // they have gone
		grant(t, l, anyone)
		if took := time.Since(start); took != silentAfter {
			t.Errorf("a caller waited until %v after they went, want %v", took, silentAfter)
		}
		_, _ = dead()
	})
}

// One connection that has died leaves the node heard: the other carries all.
func TestOneDeadConnectionSilencesNoNode(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		l := m.Locker(lock.Config{})
		m.On("begin", bubble.Unheard)
		go func() { _, _ = l.TryAcquire(t.Context(), key, anyone) }()
		for range 15 { // within Timeout
			time.Sleep(silentAfter / 5)
			m.Trips()
			m.On("begin", bubble.Fault{DelayReply: roundTrip})
			served(t, asks(t, t.Context(), l, 100))
			m.WantTrips("begin", "begin*99")
			f.Redis.FlushDB()
		}
	})
}

// Nobody hears of a node that nobody asks; and one that refuses is heard.
func TestIdleNodeIsNotSilent(t *testing.T) {
	for name, say := range map[string]func(t *testing.T, f *bubble.Fleet, l *lock.Locker){
		"a reply": func(t *testing.T, _ *bubble.Fleet, l *lock.Locker) { grant(t, l, anyone) },
		"a refusal": func(t *testing.T, f *bubble.Fleet, l *lock.Locker) {
			f.Refuse(bubble.OOM)
			_, err := l.TryAcquire(t.Context(), key, anyone)
			is(t, err, lock.ErrUnavailable)
			time.Sleep(time.Second)
			f.Refuse("")
		},
		"a value of another type": func(t *testing.T, f *bubble.Fleet, l *lock.Locker) {
			_, _ = f.Redis.Lpush(key, "a list")
			_, err := l.TryAcquire(t.Context(), key, anyone)
			is(t, err, lock.ErrCorrupt)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				m := f.Machine()
				l := m.Locker(lock.Config{})
				say(t, f, l)
				time.Sleep(time.Minute)
				sharesPipelines(t, m, l)
			})
		})
	}
}
