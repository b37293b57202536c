// Package bubble runs a fleet of machines and their Redis inside one testing/synctest bubble: the
// real code on a fake clock, over a network that loses, delays and cuts whatever a test says.
//
//	func TestCommitSurvivesALostReply(t *testing.T) {
//		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
//			a := f.Machine()
//			lease, err := a.Locker(lock.Config{}).TryAcquire(t.Context(), "key", lock.Terms{})
//			…
//			a.On("commit", bubble.LoseReply)
//			stored, err := lease.Commit(t.Context(), value, time.Hour)
//			…
//			a.WantTrips("begin", "commit", "commit")
//		})
//	}
//
// Redis is miniredis, which runs our Lua and expires keys on the bubble's clock. What it lacks
// (a cluster of several nodes, memory limits, replication) is proven on the real thing instead.
package bubble

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/reprise-go/reprise/lock"
)

func init() {
	redis.SetLogger(quiet{}) // what goes wrong here goes wrong on purpose
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// A Fleet is machines that share nothing but one Redis.
type Fleet struct {
	Redis *miniredis.Miniredis

	t     *testing.T
	names map[string]string // of scripts, by digest

	mu       sync.Mutex
	machines []*Machine
	hook     server.Hook // what comes before each command; nil: nothing
}

// Run runs test in a bubble of its own. When test returns, clients and Redis are closed, and every
// goroutine that the test's machines have started must end within a quarter of an hour of the
// bubble's time: synctest fails the test and prints those that don't.
func Run(t *testing.T, test func(t *testing.T, f *Fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		t.Cleanup(func() {
			f.close()
			time.Sleep(15 * time.Minute)
		})
		test(t, f)
	})
}

func newFleet(t *testing.T) *Fleet {
	t.Helper()
	f := &Fleet{Redis: miniredis.NewMiniRedis(), t: t, names: map[string]string{}}
	f.Redis.ClockTTL(true)
	f.load()
	return f
}

func (f *Fleet) close() {
	for _, m := range f.machines {
		m.link.close()
		_ = m.Client.Close()
	}
	f.Redis.Close()
}

// load makes Redis know the scripts, as it does from the first use on, so that a test counts what
// happens every day. SCRIPT FLUSH brings the first day back.
func (f *Fleet) load() {
	f.t.Helper()
	m := f.Machine()
	for name, source := range sources(f.t) {
		sha, err := m.Client.ScriptLoad(f.t.Context(), source).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		f.names[sha] = name
	}
}

// A Machine is one process of the fleet: its own client on a network link of its own.
type Machine struct {
	Client redis.UniversalClient

	*link
	t *testing.T
}

// Machine adds a machine. Its client has go-redis's defaults, with ContextTimeoutEnabled, unless
// options say otherwise.
func (f *Fleet) Machine(options ...func(*redis.Options)) *Machine {
	m := f.plug()
	o := &redis.Options{
		Addr:                  "redis:6379",
		Dialer:                m.Dial,
		ContextTimeoutEnabled: true,
		DisableIdentity:       true, // miniredis has no CLIENT SETINFO
		// Its hand-off workers would outlive the client.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	for _, option := range options {
		option(o)
	}
	m.Client = redis.NewClient(o)
	return m
}

// ClusterMachine adds a machine with a cluster client, to which Redis is a cluster of one node.
func (f *Fleet) ClusterMachine(options ...func(*redis.ClusterOptions)) *Machine {
	m := f.plug()
	o := &redis.ClusterOptions{
		Addrs:                    []string{"redis:6379"},
		Dialer:                   m.Dial,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	for _, option := range options {
		option(o)
	}
	m.Client = redis.NewClusterClient(o)
	return m
}

func (f *Fleet) plug() *Machine {
	m := &Machine{t: f.t, link: newLink(f)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.machines = append(f.machines, m)
	return m
}

// Locker makes a Locker on the machine.
func (m *Machine) Locker(cfg lock.Config) *lock.Locker {
	m.t.Helper()
	l, err := lock.New(m.Client, cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	return l
}

// Before calls hook before Redis runs a command, a script's too. If it returns true, it has answered.
func (f *Fleet) Before(hook server.Hook) {
	next := f.hook
	f.hook = func(p *server.Peer, cmd string, args ...string) bool {
		return hook(p, cmd, args...) || next != nil && next(p, cmd, args...)
	}
	f.Redis.Server().SetPreHook(f.hook)
}

// WantTrips fails the test unless the machine has made exactly these round trips since the last
// call of Trips or WantTrips.
func (m *Machine) WantTrips(want ...string) {
	m.t.Helper()
	if got := m.Trips(); !slices.Equal(got, want) {
		m.t.Errorf("round trips: %q, want %q", got, want)
	}
}

// Down takes Redis off every machine's network: connections break, and new ones are refused.
func (f *Fleet) Down() { f.each((*link).Down) }

// Up ends Down.
func (f *Fleet) Up() { f.each((*link).Up) }

// Vanish takes Redis off every machine's network without a word.
func (f *Fleet) Vanish() { f.each((*link).Vanish) }

// Freeze makes Redis hang: connections stand, and what is sent waits for Thaw. It takes effect
// then, even if its sender has given up.
func (f *Fleet) Freeze() { f.each((*link).Freeze) }

// Thaw ends Freeze and Vanish.
func (f *Fleet) Thaw() { f.each((*link).Thaw) }

func (f *Fleet) each(do func(*link)) {
	f.mu.Lock()
	machines := slices.Clone(f.machines)
	f.mu.Unlock()
	for _, m := range machines {
		do(m.link)
	}
}
