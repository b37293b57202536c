package lock_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// A value that this package did not write is never taken for a claim, granted over, or touched.
func TestForeignValuesAreLeftUntouched(t *testing.T) {
	const owner = "0123456789abcdef0123456789abcdef"
	long := strings.Repeat("x", 40<<10)
	for name, tc := range map[string]struct {
		value string
		want  error
	}{
		"empty":               {"", lock.ErrCorrupt},
		"one letter":          {"L", lock.ErrCorrupt},
		"a word":              {"Lorem ipsum", lock.ErrCorrupt},
		"a claim cut short":   {"L1 1 1700000000000000 86400000 - ", lock.ErrCorrupt},
		"a claim to come":     {"L2 1 1700000000000000 86400000 - " + owner, lock.ErrCorrupt},
		"attempt nought":      {"L1 0 1700000000000000 86400000 - " + owner, lock.ErrCorrupt},
		"a claim in capitals": {"L1 1 1700000000000000 86400000 - " + strings.ToUpper(owner), lock.ErrCorrupt},
		"a claim and more":    {"L1 1 1700000000000000 86400000 - " + owner + "\n", lock.ErrCorrupt},
		"numbers too large":   {"L1 99999999999999999999 1 86400000 - " + owner, lock.ErrCorrupt},
		"long, with an L":     {"L" + long, lock.ErrCorrupt},
		// These could be committed values. Whoever knows what was committed can tell.
		"text":      {"hello", lock.ErrDone},
		"binary":    {"\x00\xff\r\n", lock.ErrDone},
		"long text": {long, lock.ErrDone},
	} {
		for _, expires := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					f.Redis.Set(key, tc.value)
					if expires {
						f.Redis.SetTTL(key, time.Hour)
					}
					l := f.Machine().Locker(lock.Config{})
					for _, terms := range []lock.Terms{{}, {LeaveAbandoned: true}, {Fingerprint: "one"}} {
						lease, err := l.TryAcquire(t.Context(), key, terms)
						is(t, err, tc.want)
						if lease != nil {
							t.Error("granted")
						}
						_, err = l.Acquire(t.Context(), key, terms)
						is(t, err, tc.want)
					}
					stands(t, f, tc.value)
				})
			})
		}
	}
}

// How long a foreign value is must not decide what it costs to be asked about: begin says the size, and a value
// that is too long is not fetched.
func TestValuesThatAreTooLongAreNotFetched(t *testing.T) {
	const limit = 2 << 10
	for name, size := range map[string]int{"short enough to come along": 20 << 10, "long": 20 << 20} {
		for kind, machine := range map[string]func(*bubble.Fleet) *bubble.Machine{
			"single": func(f *bubble.Fleet) *bubble.Machine { return f.Machine() },
			"replicas": func(f *bubble.Fleet) *bubble.Machine {
				f.Before(func(p *server.Peer, cmd string, _ ...string) bool { // which miniredis doesn't know
					if cmd == "READONLY" {
						p.WriteOK()
					}
					return cmd == "READONLY"
				})
				return f.ClusterMachine(func(o *redis.ClusterOptions) { o.ReadOnly = true })
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					m := machine(f)
					l := m.Locker(lock.Config{MaxValue: limit})
					lease := grant(t, l, anyone)
					if _, err := lease.Commit(t.Context(), make([]byte, limit+1), retention); err == nil || !strings.Contains(err.Error(), "got 2049 bytes, want at most 2048") {
						t.Errorf("committed what nobody may fetch: %v", err)
					}
					f.Redis.Set(key, strings.Repeat("x", size))
					m.Trips()
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					tooLong := refused[*lock.TooLongError](t, l, anyone)
					runtime.ReadMemStats(&after)
					is(t, tooLong, lock.ErrCorrupt)
					if *tooLong != (lock.TooLongError{Size: int64(size), Limit: limit}) {
						t.Errorf("got %v", tooLong)
					}
					m.WantTrips("begin")
					if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
						t.Errorf("%d bytes allocated for a value of %d", took, size)
					}
					_, err := lease.Commit(t.Context(), value(lease), retention)
					is(t, err, lock.ErrLost, lock.ErrCorrupt)
				})
			})
		}
	}
}

func TestKeysOfAnotherTypeAreLeftUntouched(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		lease := grant(t, l, anyone)
		f.Redis.Del(key)
		if _, err := f.Redis.Push(key, "a list"); err != nil {
			t.Fatal(err)
		}
		before := f.Redis.Dump()
		_, err := l.TryAcquire(t.Context(), key, anyone)
		is(t, err, lock.ErrCorrupt)
		_, err = lease.Commit(t.Context(), value(lease), retention)
		is(t, err, lock.ErrLost, lock.ErrCorrupt)
		is(t, lease.Release(t.Context()), lock.ErrLost, lock.ErrCorrupt)
		is(t, lease.Abandon(t.Context()), lock.ErrLost, lock.ErrCorrupt)
		if after := f.Redis.Dump(); after != before {
			t.Errorf("Redis holds\n%swant\n%s", after, before)
		}
	})
}

// A holder whose claim was overwritten leaves alone what it finds.
func TestForeignValuesEndALease(t *testing.T) {
	for name, foreign := range map[string]string{"empty": "", "text with an L": "Lorem ipsum"} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				l := f.Machine().Locker(lock.Config{})
				for _, end := range []func(*lock.Lease) error{
					func(l *lock.Lease) error { _, err := l.Commit(t.Context(), value(l), retention); return err },
					func(l *lock.Lease) error { return l.Release(t.Context()) },
					func(l *lock.Lease) error { return l.Abandon(t.Context()) },
				} {
					f.Redis.FlushAll()
					lease := grant(t, l, anyone)
					f.Redis.Set(key, foreign)
					is(t, end(lease), lock.ErrLost, lock.ErrCorrupt)
					stands(t, f, foreign)
					if lease.State() != lock.Lost {
						t.Errorf("state %d, want Lost", lease.State())
					}
				}
			})
		})
	}
}

// A long value is fetched by a second trip, and may be gone by then.
func TestLongValueThatExpiresBeforeItIsFetched(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		f.Redis.Set(key, strings.Repeat("x", 64<<10))
		a.On("begin", bubble.Meanwhile(func() { f.Redis.Del(key) }))
		grant(t, l, anyone)
		a.WantTrips("begin", "GET", "begin")
	})
}

// Or another's claim may stand there by then.
func TestLongValueThatIsReplacedBeforeItIsFetched(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		l, other := a.Locker(lock.Config{}), b.Locker(lock.Config{})
		f.Redis.Set(key, strings.Repeat("x", 64<<10))
		a.On("begin", bubble.Meanwhile(func() {
			f.Redis.Del(key)
			grant(t, other, anyone)
		}))
		refused[*lock.HeldError](t, l, anyone)
		a.WantTrips("begin", "GET", "begin")
	})
}

func TestLateFinisherFetchesALongValue(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		winners := strings.Repeat("x", 64<<10)
		for op, end := range map[string]func(*lock.Lease) error{
			"commit":  func(l *lock.Lease) error { return commitOf(l) },
			"release": func(l *lock.Lease) error { return l.Release(t.Context()) },
			"abandon": func(l *lock.Lease) error { return l.Abandon(t.Context()) },
		} {
			f.Redis.FlushAll()
			lease := grant(t, l, anyone)
			f.Redis.Set(key, winners)
			a.Trips()
			err := end(lease)
			is(t, err, lock.ErrLost, lock.ErrDone)
			if done, _ := errors.AsType[*lock.DoneError](err); done == nil || done.Value != winners {
				t.Errorf("%s: not the winner's value", op)
			}
			a.WantTrips(op, "GET")
		}
	})
}

func TestValueThatIsNeverThereWhenItIsFetched(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		set := func() { f.Redis.Set(key, strings.Repeat("x", 64<<10)) }
		set()
		a.OnNext(100, "begin", bubble.Meanwhile(func() { f.Redis.Del(key) }))
		a.OnNext(100, "GET", bubble.Meanwhile(set))
		_, err := l.TryAcquire(t.Context(), key, anyone)
		is(t, err, lock.ErrUnavailable)
	})
}

func TestFetchOfALongValueThatIsNotAnswered(t *testing.T) {
	for name, options := range clients {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine(options)
				f.Redis.Set(key, strings.Repeat("x", 64<<10))
				a.On("GET", bubble.Unanswered)
				start := time.Now()
				_, err := a.Locker(lock.Config{}).TryAcquire(t.Context(), key, anyone)
				is(t, err, lock.ErrUnavailable)
				if took := time.Since(start); took != 2*time.Second {
					t.Errorf("it took %v, want Timeout, 2s", took)
				}
			})
		})
	}
}
