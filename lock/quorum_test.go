package lock

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestNewQuorumRefusesWhatIsNoQuorum(t *testing.T) {
	clients := make([]redis.UniversalClient, 6)
	for i := range clients {
		c := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
		defer c.Close()
		clients[i] = c
	}
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	a, b, c := clients[0], clients[1], clients[2]
	for _, tc := range []struct {
		name    string
		clients []redis.UniversalClient
		cfg     Config
		faults  []string
	}{
		{name: "three", clients: clients[:3]},
		{name: "five", clients: clients[:5]},
		{name: "none", faults: []string{`clients: got "0", want an odd number, at least 3`}},
		{name: "one", clients: clients[:1], faults: []string{`clients: got "1", want an odd number, at least 3`}},
		{name: "two", clients: clients[:2], faults: []string{`clients: got "2", want an odd number, at least 3`}},
		{name: "four", clients: clients[:4], faults: []string{`clients: got "4", want an odd number, at least 3`}},
		{name: "one twice", clients: []redis.UniversalClient{a, b, a},
			faults: []string{`clients[2]: got "clients[0]", want a client of another deployment`}},
		{name: "everything at once", clients: []redis.UniversalClient{a, nil, ring, (*redis.Client)(nil), b, b}, faults: []string{
			`clients: got "6", want an odd number, at least 3`,
			`clients[1]: lock: client: got nil, want a`, `clients[2]: lock: client: got a *redis.Ring, want a`,
			`clients[3]: lock: client: got nil, want a`, `clients[5]: got "clients[4]", want a client of another deployment`}},
		{name: "settings", clients: []redis.UniversalClient{a, b, c}, cfg: Config{Remember: time.Second},
			faults: []string{`lock: Remember: got "1s", want TTL to 87600h (see TTL)`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := NewQuorum(tc.clients, tc.cfg)
			if tc.faults == nil {
				if err != nil || len(l.store.(*quorum).members) != len(tc.clients) {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if l != nil || err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tc.faults) {
				t.Fatalf("faults:\n%v\nwant:\n%s", err, strings.Join(tc.faults, "\n"))
			}
			for i, want := range tc.faults {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("fault: %s\nwant: %s", lines[i], want)
				}
			}
		})
	}
}

// Types of clients that can't be compared make no panic.
func TestClientsOfAnyTypeAreCompared(t *testing.T) {
	c := redis.NewClient(&redis.Options{})
	defer c.Close()
	type wrapper struct {
		*redis.Client
		names []string
	}
	for _, tc := range []struct {
		name string
		a, b redis.UniversalClient
		want bool
	}{
		{"one", c, c, true},
		{"one, wrapped alike", struct{ *redis.Client }{c}, struct{ *redis.Client }{c}, true},
		{"of two types", c, struct{ *redis.Client }{c}, false},
		{"not to be compared", wrapper{c, nil}, wrapper{c, nil}, false},
		{"none", nil, c, false},
	} {
		if got := same(tc.a, tc.b); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

func TestHeldByNamesWhoeverHasMost(t *testing.T) {
	claim := func(owner string) string { return "L1 1 1700000000000000 86400000 - " + strings.Repeat(owner, 32) }
	yes := vote{cast: true, reply: reply{status: statusOK, value: claim("0")}}
	no := func(owner string, left int64) vote {
		return vote{cast: true, reply: reply{status: statusHeld, value: claim(owner), left: left}}
	}
	failed := vote{cast: true, err: ErrUnavailable}
	for _, tc := range []struct {
		name  string
		votes tally
		owner string
		left  time.Duration // in ms
		split bool
	}{
		{"all", tally{no("a", 30), no("a", 10), no("a", 20)}, "a", 20, false},
		{"a majority, and a rival asks as we do", tally{no("b", 21), no("a", 20), no("a", 22)}, "a", 21, false},
		{"a majority, and we have the rest", tally{yes, no("a", 20), no("a", 10)}, "a", 10, false},
		{"perhaps a majority", tally{yes, no("a", 20), failed}, "a", 20, false},
		{"perhaps a majority, one not heard yet", tally{yes, no("a", 20), {}}, "a", 20, false},
		{"nobody", tally{yes, no("a", 20), no("b", 10)}, "a", 10, true},
		{"nobody of five", tally{yes, yes, no("a", 20), no("a", 30), no("b", 10)}, "a", 10, true},
		{"values beside", tally{{cast: true, reply: reply{status: statusDone, value: "R"}}, no("a", 20), no("a", 30)}, "a", 30, false},
		{"too few leases in the way", tally{{cast: true, err: ErrCorrupt}, no("a", 20), failed}, "a", 20, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := heldBy(tc.votes)
			if e == nil || e.Claim.Owner != strings.Repeat(tc.owner, 32) || e.Left != tc.left*time.Millisecond || e.split != tc.split {
				t.Errorf("got %+v", e)
			}
		})
	}
	left := vote{cast: true, reply: reply{status: statusAbandoned, value: claim("a")}}
	for name, votes := range map[string]tally{
		"a claim that can't be read":      {{cast: true, reply: reply{status: statusHeld, value: "L?"}}, failed, yes},
		"a rival who is not in the way":   {left, no("b", 10), left},
		"rivals of five, not in the way":  {left, no("b", 10), no("c", 10), left, left},
		"nobody, though one is abandoned": {left, yes, failed},
	} {
		if e := heldBy(votes); e != nil {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}
