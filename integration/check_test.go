package integration

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
)

// What is amiss at any primary is found, named with its cure, and an error only in strict mode.
func TestCheckNamesWhatIsAmiss(t *testing.T) {
	c := cluster.Shared(t)
	client := c.Client()
	t.Cleanup(func() { _ = client.Close() })
	check := func(cfg lock.Config) (logged string, err error) {
		var b bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&b, nil))
		cfg.TTL, cfg.Timeout = 2*patience, patience
		l, err := lock.New(client, cfg)
		must(t, err)
		err = l.Check(t.Context(), "it-check:")
		return b.String(), err
	}

	if logged, err := check(lock.Config{Acks: 1, AckWithin: time.Second}); err != nil || logged != "" {
		t.Errorf("nothing is amiss, and it says %v, %q", err, logged)
	}

	evicts := c.Masters(t.Context())[1]
	set := func(policy string) {
		must(t, evicts.Client().ConfigSet(context.Background(), "maxmemory-policy", policy).Err())
	}
	set("allkeys-lru")
	t.Cleanup(func() { set("noeviction") })
	logged, err := check(lock.Config{})
	if err != nil || !strings.Contains(logged, "allkeys-lru") || !strings.Contains(logged, "CONFIG SET") || strings.Count(logged, "WARN") != 1 {
		t.Errorf("%v; logged: %s", err, logged)
	}
	_, err = check(lock.Config{Strict: true})
	if e, ok := errors.AsType[*lock.SettingError](err); !ok || e.Setting != "maxmemory-policy" || e.Where != evicts.Announced() {
		t.Errorf("strict: %v", err)
	}
	if _, err = check(lock.Config{Strict: true, Acks: 2, AckWithin: time.Second}); strings.Count(err.Error(), "replicas of") != 3 {
		t.Errorf("each of three primaries has one replica of two: %v", err)
	}
}
