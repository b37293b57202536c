package conformance

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/reprise-go/reprise/internal/conformance"
)

// A Redis that is given is the one that the servers use, but for a row that wants none, and what they
// leave there is soon gone.
func TestGivenRedis(t *testing.T) {
	given := miniredis.RunT(t)
	t.Setenv(redisURL, "redis://"+given.Addr())
	for name, tt := range map[string]struct {
		row  string
		keys int
	}{
		"used":                           {"done", 1},
		"not where there has to be none": {"store unavailable", 0},
	} {
		t.Run(name, func(t *testing.T) {
			given.FlushAll()
			var told conformance.Report
			c := conformance.Contracts("")[0]
			w := told.Walk(c)
			w.Ours = true
			rows := w.Rows()
			row := rows[slices.IndexFunc(rows, func(r conformance.Row) bool { return r.Name == tt.row })]
			target, err := startPayments(t, c, cmp.Or(row.Under, conformance.Usual))
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Ask(t.Context(), row, target); got.Verdict() != "pass" {
				t.Errorf("%+v", got)
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
