package lock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// A SettingError is a setting of the client or of a Redis node that weakens the promise, and its cure.
type SettingError struct {
	Setting string // as the client or Redis names it
	Where   string // "client", or the node's address
	Got     string
	Want    string
	Cure    string // why it matters, and what to do
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("lock: %s of %s: got %s, want %s: %s", e.Setting, e.Where, e.Got, e.Want, e.Cure)
}

// Check asks every primary for the settings that leases and records rest on: maxmemory-policy, the
// version, its role, and the number of its replicas if Config.Acks wants some. It is for a program's start, takes
// one INFO to each node, and Config.Timeout at most. What is amiss is logged as a warning, one for each
// setting and node; with Config.Strict it is returned instead, each a *SettingError. What can't be
// asked is amiss, too.
func (l *Locker) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	if l.members != nil {
		return verdict(l.cfg, l.quorumFindings(ctx))
	}
	return verdict(l.cfg, l.server.findings(ctx, l.cfg))
}

// verdict is an error in strict mode and a warning otherwise.
func verdict(cfg Config, findings []*SettingError) error {
	var errs []error
	for _, f := range findings {
		if cfg.Strict {
			errs = append(errs, f)
			continue
		}
		cfg.Logger.LogAttrs(context.Background(), slog.LevelWarn, "lock: a setting weakens the promise",
			slog.String("setting", f.Setting), slog.String("where", f.Where),
			slog.String("got", f.Got), slog.String("want", f.Want), slog.String("cure", f.Cure))
	}
	return errors.Join(errs...)
}

// clientFindings are what can be known of a client without contacting Redis.
func clientFindings(client redis.UniversalClient) (all []*SettingError) {
	amiss := func(is bool, setting, got, want, cure string) {
		if is {
			all = append(all, &SettingError{Setting: setting, Where: "client", Got: got, Want: want, Cure: cure})
		}
	}
	obedient := func(on bool) {
		amiss(!on, "ContextTimeoutEnabled", "false", "true",
			"a command to a server that hangs keeps its connection until ReadTimeout; set it in the client's options")
	}
	switch c := client.(type) {
	case *redis.Client:
		obedient(c.Options().ContextTimeoutEnabled)
	case *redis.ClusterClient:
		o := c.Options()
		obedient(o.ContextTimeoutEnabled)
		amiss(!o.DisableRoutingPolicies, "DisableRoutingPolicies", "false", "true",
			"a client's first command asks any three nodes for their command table, and waits 5 s for those that hang; set it in the client's options")
		amiss(replicaReads(o), "ReadOnly, RouteByLatency, RouteRandomly", "true", "false",
			"a replica lags behind, so long records come through a script instead, at twice the time; give reprise a client of its own without them")
	}
	return all
}

func replicaReads(o *redis.ClusterOptions) bool {
	return o.ReadOnly || o.RouteByLatency || o.RouteRandomly
}

// findings are what can be known of Redis by asking.
func (s *server) findings(ctx context.Context, cfg Config) (all []*SettingError) {
	ask := func(ctx context.Context, client redis.UniversalClient, where string) []*SettingError {
		info, err := client.Info(ctx).Result()
		if err != nil {
			return []*SettingError{{Setting: "INFO", Where: where, Got: err.Error(), Want: "an answer",
				Cure: "its settings could not be checked; see that it is up and that the user may run INFO"}}
		}
		return nodeFindings(where, parseInfo(info), cfg)
	}
	if s.cluster == nil {
		where := "Redis"
		if c, ok := s.client.(*redis.Client); ok {
			where = c.Options().Addr
		}
		return ask(ctx, s.client, where)
	}
	var mu sync.Mutex
	err := s.cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		found := ask(ctx, c, c.Options().Addr)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return nil
	})
	if err != nil {
		all = append(all, &SettingError{Setting: "CLUSTER SLOTS", Where: "cluster", Got: err.Error(), Want: "an answer",
			Cure: "its settings could not be checked; see that it is up"})
	}
	return all
}

// oldest is the first version that has sharded channels.
const oldest = 7

func nodeFindings(where string, info map[string]string, cfg Config) (all []*SettingError) {
	amiss := func(is bool, setting, got, want, cure string) {
		if is {
			if got == "" {
				got = "nothing"
			}
			all = append(all, &SettingError{Setting: setting, Where: where, Got: got, Want: want, Cure: cure})
		}
	}
	policy := info["maxmemory_policy"]
	amiss(policy != "noeviction", "maxmemory-policy", policy, "noeviction",
		"an evicted key is a forgotten one, and its request can run twice; CONFIG SET maxmemory-policy noeviction")

	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	amiss(err != nil || n < oldest, "redis_version", version, "7.0 or later",
		"without sharded channels, those who wait for a key poll it; upgrade")

	role := info["role"]
	amiss(role != "master", "role", role, "master",
		"a replica refuses writes; connect to the primary, or to the cluster, or through Sentinel")

	replicas := info["connected_slaves"]
	n, err = strconv.Atoi(replicas)
	amiss(cfg.Acks > 0 && (err != nil || n < cfg.Acks), "replicas", replicas, fmt.Sprintf("%d, for Acks", cfg.Acks),
		"every new key is refused until so many confirm; add replicas, or lower Acks")
	return all
}

// parseInfo reads the lines of INFO.
func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
