package bubble

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// A Quorum is machines that share three deployments of Redis, each a fleet of its own: what befalls
// one leaves the others alone.
type Quorum struct {
	Of [3]*Fleet

	t *testing.T
}

// RunQuorum runs test as Run does, with three deployments.
func RunQuorum(t *testing.T, test func(t *testing.T, q *Quorum)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := &Quorum{t: t}
		for i := range q.Of {
			q.Of[i] = newFleet(t)
		}
		t.Cleanup(func() {
			for _, f := range q.Of {
				f.close()
			}
			time.Sleep(15 * time.Minute)
		})
		test(t, q)
	})
}

// A Member is one process that uses a quorum lock: its links to the deployments, in their order.
type Member struct {
	To [3]*Machine

	t *testing.T
}

// Member adds a process.
func (q *Quorum) Member(options ...func(*redis.Options)) *Member {
	m := &Member{t: q.t}
	for i, f := range q.Of {
		m.To[i] = f.Machine(options...)
	}
	return m
}

// Locker makes a Locker of all deployments.
func (m *Member) Locker(cfg lock.Config) *lock.Locker {
	m.t.Helper()
	var clients []redis.UniversalClient
	for _, to := range m.To {
		clients = append(clients, to.Client)
	}
	l, err := lock.NewQuorum(clients, cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	return l
}

// RestartEmpty restarts a deployment that keeps nothing: connections, keys and scripts are gone.
func (f *Fleet) RestartEmpty() {
	f.t.Helper()
	f.Down()
	f.Redis.FlushAll()
	f.Up()
	m := f.Machine()
	if err := m.Client.ScriptFlush(f.t.Context()).Err(); err != nil {
		f.t.Fatal(err)
	}
}
