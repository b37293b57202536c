package conformance

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A Redis that is given is the one that the servers use, but for a row that wants none, and what they
// leave there is soon gone.
func TestGivenRedis(t *testing.T) {
	given := miniredis.RunT(t)
	t.Setenv(redisURL, "redis://"+given.Addr())
	for name, tt := range map[string]struct {
		under *setting
		keys  int
		ask   func(*visit)
	}{
		"used":                           {usual, 1, askDone},
		"not where there has to be none": {withoutStore, 0, askUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			given.FlushAll()
			target, err := startPayments(t, contracts[0], tt.under)
			if err != nil {
				t.Fatal(err)
			}
			v := &visit{contract: contracts[0], target: target}
			tt.ask(v)
			for _, diff := range v.diffs {
				t.Error(diff)
			}
			keys := given.Keys()
			if len(keys) != tt.keys {
				t.Errorf("%d keys in the given Redis, want %d", len(keys), tt.keys)
			}
			for _, key := range keys {
				if left := given.TTL(key); left <= 0 || left > time.Hour {
					t.Errorf("%s is kept for %v, want an hour at most", key, left)
				}
			}
		})
	}
}
