package lock_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Every command may be sent twice: its reply was lost, and go-redis, or the caller, sends it again.

// Plain SET NX finds its own lock the second time and says "taken".
func TestLostReplyToBeginIsNoConflict(t *testing.T) {
	for name, fault := range map[string]bubble.Fault{"reply": bubble.LoseReply, "command": bubble.LoseCommand} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				a.OnNext(2, "begin", fault)
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				if lease.Attempt() != 1 {
					t.Errorf("attempt %d, want 1", lease.Attempt())
				}
				a.WantTrips("begin", "begin", "begin")
				refused[*lock.HeldError](t, f.Machine().Locker(lock.Config{}), anyone)
				commit(t, lease, lock.StoredNow)
			})
		})
	}
}

func TestLostReplyToBeginOnATakeover(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		if err := grant(t, l, anyone).Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.On("begin", bubble.LoseReply)
		if second := grant(t, l, anyone); second.Attempt() != 2 {
			t.Errorf("attempt %d, want 2", second.Attempt())
		}
	})
}

func TestCommitSentTwiceIsStoredOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		fault bubble.Fault
		want  lock.Stored
	}{
		"reply lost":   {bubble.LoseReply, lock.StoredBefore},
		"command lost": {bubble.LoseCommand, lock.StoredNow},
	} {
		t.Run("by go-redis/"+name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				a.On("commit", tc.fault)
				commit(t, lease, tc.want)
				a.WantTrips("begin", "commit", "commit")
				stands(t, f, string(value(lease)))
			})
		})
		t.Run("by the caller/"+name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine(func(o *redis.Options) { o.MaxRetries = -1 })
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				a.On("commit", tc.fault)
				_, err := lease.Commit(t.Context(), value(lease), retention)
				is(t, err, lock.ErrUnavailable)
				live(t, lease) // the lease goes on
				commit(t, lease, tc.want)
				if lease.State() != lock.Ended {
					t.Errorf("state %d, want Ended", lease.State())
				}
				stands(t, f, string(value(lease)))
			})
		})
	}
}

func TestCommitSentTwiceWhenTheKeyHadVanished(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		f.Redis.FlushAll()
		a.On("commit", bubble.LoseReply)
		commit(t, lease, lock.StoredBefore)
		stands(t, f, string(value(lease)))
	})
}

func TestReleaseSentTwice(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		a.On("release", bubble.LoseReply)
		if err := lease.Release(t.Context()); err != nil {
			t.Error(err)
		}
		free(t, f)
		a.WantTrips("begin", "release", "release")
	})
}

func TestAbandonSentTwice(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		lease := grant(t, l, anyone)
		a.On("abandon", bubble.LoseReply)
		if err := lease.Abandon(t.Context()); err != nil {
			t.Error(err)
		}
		a.WantTrips("begin", "abandon", "abandon")
		if left := f.Redis.TTL(key); left > remember {
			t.Errorf("%v left, want at most %v", left, remember)
		}
		if next := grant(t, l, anyone); next.Attempt() != 2 {
			t.Errorf("attempt %d, want 2", next.Attempt())
		}
	})
}

// The second sending must not make a claim remembered for longer.
func TestAbandonSentTwiceDoesNotStartAnew(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		lease := grant(t, a.Locker(lock.Config{Timeout: 7 * time.Second}), anyone)
		a.On("abandon", bubble.Fault{DelayReply: 3 * time.Second, LoseReply: true})
		if err := lease.Abandon(t.Context()); err != nil {
			t.Error(err)
		}
		if left := f.Redis.TTL(key); left > remember-3*time.Second {
			t.Errorf("%v left, want the rest of remember", left)
		}
	})
}

func TestRenewSentTwice(t *testing.T) {
	for name, fault := range map[string]bubble.Fault{"reply": bubble.LoseReply, "command": bubble.LoseCommand} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				a.On("renew", fault)
				time.Sleep(6 * time.Second)
				live(t, lease)
				a.WantTrips("begin", "renew", "renew")
				if left := f.Redis.TTL(key); left <= remember+ttl-2*time.Second {
					t.Errorf("%v left, want it renewed a second ago", left)
				}
			})
		})
	}
}

// A renewal that was held up on the way finds a claim whose lease is over, and leaves it so.
func TestLateRenewalDoesNotResurrect(t *testing.T) {
	for _, op := range []string{"abandon", "release", "commit", "lapse"} {
		t.Run(op, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				a.OnNext(100, "renew", bubble.Fault{DelayCommand: time.Minute}) // arrive, long after their senders gave up
				time.Sleep(5500 * time.Millisecond)                             // the first one is on its way

				var err error
				switch op {
				case "abandon":
					err = lease.Abandon(t.Context())
				case "release":
					err = lease.Release(t.Context())
				case "commit":
					_, err = lease.Commit(t.Context(), value(lease), retention)
				case "lapse":
					time.Sleep(ttl)
				}
				if err != nil {
					t.Fatal(err)
				}
				before, left := f.Redis.Dump(), f.Redis.TTL(key)
				time.Sleep(2 * time.Minute)
				if after := f.Redis.Dump(); after != before {
					t.Errorf("Redis holds\n%swant\n%s", after, before)
				}
				if now := f.Redis.TTL(key); left > 0 && now != left-2*time.Minute {
					t.Errorf("%v left, want %v", now, left-2*time.Minute)
				}
			})
		})
	}
}
