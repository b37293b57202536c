package integration

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/replay"
)

// A fleet is three machines that serve one API and share nothing but Redis.
type fleet struct {
	machines []*machine
	ledger   *ledger
	prefix   string // of its Redis keys, which no other test has

	client *http.Client // of all callers

	cluster  *cluster.Cluster
	observer *redis.ClusterClient // the test's own view of Redis
}

// A machine is one process as Redis sees it: a client with its own connections, on its own line to
// the cluster, an engine, an adapter, and a real HTTP server.
type machine struct {
	name   string // also its connections', in CLIENT LIST
	redis  redis.UniversalClient
	line   *line
	trips  *trips
	engine *replay.Engine
	server *httptest.Server
}

// A plan is what tests change in a fleet. Its zero value is the default configuration, with
// payments behind it.
type plan struct {
	replay  replay.Config
	http    httpadapter.Config
	handler http.Handler
	conns   int    // of the callers to each machine; 0 means as many as it takes
	user    string // whom machines log in as, with the name as its password; empty: nobody

	// each, if not nil, changes the configuration of the machine at i.
	each func(i int, c *replay.Config)
}

// patience is for what a test doesn't mean to see: a machine that is busy with other things answers
// late, and nothing may come of that.
const patience = 30 * time.Second

// newFleet makes a fleet on the shared cluster.
func newFleet(t *testing.T, p plan) *fleet {
	t.Helper()
	c := cluster.Shared(t)
	f := assemble(t, p, func(m *machine) redis.UniversalClient {
		m.line = newLine(c.Dial)
		client := c.Client(func(o *redis.ClusterOptions) {
			o.Dialer = m.line.dial
			o.ClientName = m.name
			o.Username, o.Password = p.user, p.user
			o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience
		})
		client.OnNewNode(func(node *redis.Client) { node.AddHook(m.trips) })
		return client
	})
	f.cluster, f.observer = c, c.Client()
	t.Cleanup(func() { _ = f.observer.Close() })
	return f
}

// assemble makes a fleet of machines that connect to their Redis as they are told.
func assemble(t *testing.T, p plan, connect func(*machine) redis.UniversalClient) *fleet {
	t.Helper()
	f := &fleet{
		ledger: newLedger(),
		prefix: "it-" + rand.Text()[:10],
		client: newCaller(p.conns),
	}
	t.Cleanup(f.client.CloseIdleConnections)
	if p.handler == nil {
		p.handler = f.ledger
	}
	p.http.Scope = httpadapter.ScopeHeader("X-Account")
	for i := range 3 {
		m := &machine{name: fmt.Sprintf("%s-m%d", f.prefix, i), trips: newTrips(t)}
		m.redis = connect(m)
		t.Cleanup(func() { _ = m.redis.Close() })

		cfg := p.replay
		cfg.Prefix = f.prefix
		if p.each != nil {
			p.each(i, &cfg)
		}
		if cfg.Lock.TTL == 0 {
			cfg.Lock.TTL = 2 * patience
		}
		if cfg.Lock.Timeout == 0 {
			cfg.Lock.Timeout = cfg.Lock.TTL / 2
		}
		if cfg.Lock.AckWithin == 0 {
			cfg.Lock.AckWithin = min(cfg.Lock.Timeout/2, patience/2)
		}
		var err error
		m.engine, err = replay.New(m.redis, cfg)
		must(t, err)
		adapter, err := httpadapter.New(m.engine, p.http)
		must(t, err)
		m.server = httptest.NewServer(adapter.Handler(p.handler))
		t.Cleanup(m.server.Close)
		f.machines = append(f.machines, m)
	}
	return f
}

// newCaller is a client that opens at most so many connections to a machine and sends nothing
// twice on its own account.
func newCaller(conns int) *http.Client {
	return &http.Client{
		Timeout: 4 * patience,
		Transport: &http.Transport{
			MaxConnsPerHost:     conns,
			MaxIdleConnsPerHost: max(conns, 100),
			DisableCompression:  true,
		},
	}
}

const account = "acme"

// redisKey is the Redis key of a request: its scope, framed by its length, and its key, hashed.
func (f *fleet) redisKey(scope, key string) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(len(scope)))
	b = append(append(append(b, scope...), 0), key...)
	sum := sha256.Sum256(b)
	return f.prefix + ":" + hex.EncodeToString(sum[:])
}

// keysInOneSlot finds n idempotency keys of the account that share a slot.
func (f *fleet) keysInOneSlot(n int) (keys []string) {
	slot := cluster.Slot(f.redisKey(account, "first"))
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprintf("key-%d", i)
		if cluster.Slot(f.redisKey(account, key)) == slot {
			keys = append(keys, key)
		}
	}
	return keys
}

// keysOnOneNode finds n idempotency keys of the account that one node serves.
func (f *fleet) keysOnOneNode(t *testing.T, n int) (node *cluster.Node, keys []string) {
	t.Helper()
	node = f.master(t, "first")
	for i := 0; len(keys) < n; i++ {
		if key := fmt.Sprintf("key-%d", i); f.master(t, key) == node {
			keys = append(keys, key)
		}
	}
	return node, keys
}

// master is the node that serves an idempotency key of the account.
func (f *fleet) master(t *testing.T, key string) *cluster.Node {
	t.Helper()
	node, err := f.cluster.MasterOf(t.Context(), f.redisKey(account, key))
	must(t, err)
	return node
}
