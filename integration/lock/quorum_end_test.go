package lock_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Whoever comes after a holder that failed is told, whichever deployments he gets.
func TestQuorumAbandoned(t *testing.T) {
	for name, tc := range map[string]struct {
		end   func(*testing.T, *bubble.Quorum, *bubble.Member, *lock.Lease)
		after time.Duration
	}{
		"abandoned": {func(t *testing.T, _ *bubble.Quorum, _ *bubble.Member, l *lock.Lease) {
			if err := l.Abandon(t.Context()); err != nil {
				t.Error(err)
			}
		}, 0},
		"died": {func(_ *testing.T, _ *bubble.Quorum, m *bubble.Member, _ *lock.Lease) {
			for _, to := range m.To {
				to.Down()
			}
		}, ttl},
	} {
		for first := range 3 { // which is away for the first holder
			for second := range 3 { // and which for the second
				t.Run(name, func(t *testing.T) {
					bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
						a, b := q.Member(), q.Member()
						q.Of[first].Down()
						lease := grant(t, a.Locker(lock.Config{}), anyone)
						settled()
						tc.end(t, q, a, lease)
						settled()
						for i, to := range b.To {
							to.Up()
							if i == second {
								to.Down()
							}
						}

						l := b.Locker(lock.Config{})
						if tc.after > 0 {
							if held := refused[*lock.HeldError](t, l, anyone); held.Left <= tc.after-time.Second {
								t.Errorf("%v left", held.Left)
							}
							time.Sleep(tc.after)
						}
						left := refused[*lock.AbandonedError](t, l, lock.Terms{LeaveAbandoned: true})
						if left.Claim.Owner != lease.Owner() || left.Claim.Attempt != 1 {
							t.Errorf("abandoned by %+v", left.Claim)
						}
						refused[*lock.AbandonedError](t, l, lock.Terms{Fingerprint: "other"})
						next := grant(t, l, anyone)
						attempt(t, next, nil, 2)
						release(t, next)
					})
				})
			}
		}
	}
}

// Those who ask in vain take nothing over, though they are granted what the holder doesn't have.
func TestQuorumAskingIsNoAttempt(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		l := a.Locker(lock.Config{})
		first := grant(t, l, anyone)
		settled()
		if err := first.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		settled()
		q.Of[2].Freeze()
		second := grant(t, l, anyone)
		attempt(t, second, nil, 2)
		for _, to := range a.To {
			to.Down() // it dies
		}
		time.Sleep(5 * time.Second)
		b := q.Member().Locker(lock.Config{})
		for range 20 {
			refused[*lock.HeldError](t, b, anyone)
			settled()
		}
		time.Sleep(ttl)
		attempt(t, grant(t, b, anyone), nil, 3)
	})
}

func TestQuorumLockKeepsNoValue(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		stored, err := lease.Commit(t.Context(), value(lease), retention)
		if is(t, err, lock.ErrNoCommit); stored != 0 || errors.Is(err, lock.ErrLost) {
			t.Errorf("got %d, %v", stored, err)
		}
		settled()
		live(t, lease)
		heldAt(t, q, lease, 0, 1, 2)
		a.To[0].WantTrips("begin")
	})
}

// A value that somebody else has put there stands in the way where a majority needs it, and is never
// touched.
func TestQuorumForeignValues(t *testing.T) {
	put := func(f *bubble.Fleet) { f.Redis.Set(key, "R another's") }
	list := func(f *bubble.Fleet) { _, _ = f.Redis.Push(key, "a list") }
	for name, tc := range map[string]struct {
		strike [3]func(*bubble.Fleet)
		want   error // nil: granted
	}{
		"one value":               {[3]func(*bubble.Fleet){put}, nil},
		"one list":                {[3]func(*bubble.Fleet){list}, nil},
		"two values":              {[3]func(*bubble.Fleet){put, nil, put}, lock.ErrDone},
		"two lists":               {[3]func(*bubble.Fleet){list, list}, lock.ErrCorrupt},
		"a list and a value":      {[3]func(*bubble.Fleet){list, nil, put}, lock.ErrDone},
		"one value and one down":  {[3]func(*bubble.Fleet){put, (*bubble.Fleet).Down}, lock.ErrDone},
		"one list and one down":   {[3]func(*bubble.Fleet){(*bubble.Fleet).Down, nil, list}, lock.ErrCorrupt},
		"two values and one hung": {[3]func(*bubble.Fleet){put, (*bubble.Fleet).Freeze, put}, lock.ErrDone},
		"two lists and one hung":  {[3]func(*bubble.Fleet){list, list, (*bubble.Fleet).Freeze}, lock.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				a := q.Member()
				for i, strike := range tc.strike {
					if strike != nil {
						strike(q.Of[i])
					}
				}
				start := time.Now()
				lease, err := a.Locker(lock.Config{}).TryAcquire(t.Context(), key, anyone)
				if took := time.Since(start); strings.HasPrefix(name, "two") && took != 0 {
					t.Errorf("a majority that refuses was heard after %v", took)
				}
				if tc.want == nil {
					time.Sleep(6 * time.Second)
					heldAt(t, q, lease, 1, 2)
					release(t, lease)
				} else if is(t, err, tc.want); errors.Is(err, lock.ErrUnavailable) {
					t.Error(err)
				}
				settled()
				for i, f := range q.Of {
					if f.Redis.TTL(key) != 0 {
						t.Errorf("deployment %d: a claim is left, or a value touched", i)
					}
				}
			})
		})
	}
}

func TestQuorumRelease(t *testing.T) {
	steal := func(f *bubble.Fleet) { f.Redis.Set(key, "R another's") }
	for name, tc := range map[string]struct {
		strike []func(*bubble.Fleet)
		want   []error
		not    []error
	}{
		"one down":                {[]func(*bubble.Fleet){(*bubble.Fleet).Down}, nil, nil},
		"one hung":                {[]func(*bubble.Fleet){(*bubble.Fleet).Freeze}, nil, nil},
		"one another's":           {[]func(*bubble.Fleet){steal}, nil, nil},
		"two down":                {[]func(*bubble.Fleet){(*bubble.Fleet).Down, (*bubble.Fleet).Down}, []error{lock.ErrUnavailable}, []error{lock.ErrLost}},
		"two hung":                {[]func(*bubble.Fleet){(*bubble.Fleet).Freeze, (*bubble.Fleet).Freeze}, []error{lock.ErrUnavailable}, []error{lock.ErrLost}},
		"two another's":           {[]func(*bubble.Fleet){steal, steal}, []error{lock.ErrLost, lock.ErrDone}, []error{lock.ErrUnavailable}},
		"one another's, one away": {[]func(*bubble.Fleet){steal, (*bubble.Fleet).Down}, []error{lock.ErrUnavailable}, []error{lock.ErrLost}},
	} {
		for op, end := range map[string]func(*lock.Lease, context.Context) error{"release": (*lock.Lease).Release, "abandon": (*lock.Lease).Abandon} {
			t.Run(name+"/"+op, func(t *testing.T) {
				bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
					lease := grant(t, q.Member().Locker(lock.Config{}), anyone)
					settled()
					for i, strike := range tc.strike {
						strike(q.Of[i])
					}
					start := time.Now()
					err := end(lease, t.Context())
					if is(t, err, tc.want...); tc.want == nil && (err != nil || time.Since(start) != 0) {
						t.Errorf("%v after %v", err, time.Since(start))
					}
					for _, not := range tc.not {
						if errors.Is(err, not) {
							t.Errorf("got %v, want it not to be: %v", err, not)
						}
					}
					if state := lease.State(); errors.Is(err, lock.ErrLost) != (state == lock.Lost) || state == lock.Live {
						t.Errorf("state %d", state)
					}
					settled()
					if owners(q)[2] != "" {
						t.Error("one that can be asked still holds the key")
					}
				})
			})
		}
	}
}

func TestQuorumDoSaysThatTheLeaseWasLost(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		l := q.Member().Locker(lock.Config{})
		err := l.Do(t.Context(), key, func(ctx context.Context, _ *lock.Lease) error {
			settled()
			for _, f := range q.Of[1:] {
				f.RestartEmpty()
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		is(t, err, lock.ErrLost)
		if err := l.Do(t.Context(), key, func(context.Context, *lock.Lease) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

// refuses tells by the rule of Lease.Fences whether a database that has seen the fences of one holder
// refuses those of another.
func refuses(seen, fences []int64) bool {
	return slices.IndexFunc(fences, func(f int64) bool { return f != 0 && f < seen[slices.Index(fences, f)] }) >= 0
}

// The deployments' clocks agree in nothing. No single number of a holder's would tell who came later.
func TestQuorumFences(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		clocks := [3]time.Duration{0, time.Hour, -time.Hour}
		var seen [][]int64
		for away := range 3 {
			for i, f := range q.Of {
				f.Redis.SetTime(time.Now().Add(clocks[i]))
			}
			a := q.Member()
			q.Of[away].Down()
			lease := grant(t, a.Locker(lock.Config{}), anyone)
			fences := lease.Fences()
			if lease.Fence() != 0 || len(fences) != 3 {
				t.Errorf("fence %d, fences %v", lease.Fence(), fences)
			}
			for i, f := range fences {
				claim, _ := q.Of[i].Redis.Get(key)
				if (f == 0) != (i == away) || f != 0 && f != time.Now().Add(clocks[i]).UnixMicro() {
					t.Errorf("fence %d of deployment %d, whose claim is %q", f, i, claim)
				}
			}
			for _, earlier := range seen {
				if refuses(earlier, fences) || !refuses(fences, earlier) {
					t.Errorf("%v and later %v can't be told apart", earlier, fences)
				}
			}
			seen = append(seen, slices.Clone(fences))
			fences[0]++
			if slices.Equal(fences, lease.Fences()) {
				t.Error("the lease's own fences can be written to")
			}
			release(t, lease)
			time.Sleep(time.Second)
			q.Of[away].Up()
		}
		if slices.Max(seen[1]) > slices.Max(seen[0]) {
			t.Errorf("%v: their largest numbers grow, which proves nothing", seen)
		}
	})
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		lease := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		if !slices.Equal(lease.Fences(), []int64{lease.Fence()}) || lease.Fence() == 0 {
			t.Errorf("of a single deployment: %v", lease.Fences())
		}
	})
}
