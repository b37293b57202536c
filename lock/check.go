package lock

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// A SettingError is a setting of the client or of a Redis node that weakens the promise, and its
// cure.
type SettingError struct {
	Setting string // as the client or Redis names it
	Where   string // "client", or the node's address
	Got     string
	Want    string
	Cure    string // why it matters, and what to do
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("lock: %s of %s: got %s, want %s: %s",
		e.Setting, e.Where, e.Got, e.Want, e.Cure)
}

// Check finds out whether Redis and the client are fit for what leases and records rest on. It asks
// every primary for its settings (maxmemory-policy, version, mode, role, and replicas if
// Config.Acks wants some), and then does there what a request does, on keys of its own: all
// scripts, by their text and by their digest, a value read back, the channel on which waiters are
// woken, WAIT and ASKING where they will be needed. So the rights of the user that it connects as
// are tried by using them.
//
// The names of its keys begin with prefix, as those of the program's own keys do, so that they lie
// within the patterns that an ACL allows. It deletes them; if it can't, they expire within a
// minute, or twice Config.TTL if that is longer.
//
// It is for a program's start, and takes Config.Timeout at most. What is amiss is logged as a
// warning, one for each setting and node; with Config.Strict it is returned instead, each a
// *SettingError, which names the cure. What can't be asked is amiss, too. As every script is loaded
// on the way, the first requests don't have to bring them along.
func (l *Locker) Check(ctx context.Context, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	probes := l.store.probes(prefix)
	found := make([][]*SettingError, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() {
			p.run(ctx)
			found[i] = p.findings.close()
		})
	}
	wg.Wait()
	return verdict(l.cfg, slices.Concat(found...))
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
	reportIf := func(is bool, setting, got, want, cure string) {
		if is {
			all = append(all, &SettingError{Setting: setting, Where: "client", Got: got, Want: want, Cure: cure})
		}
	}
	unverified := func(c *tls.Config) {
		reportIf(c != nil && c.InsecureSkipVerify && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil,
			"InsecureSkipVerify", "true", "false",
			"whoever is on the way can pose as Redis, and read and write all records; name the authority of its certificate instead (ca_file in the URL, RootCAs in the options)")
	}
	honorsContext := func(on bool) {
		reportIf(!on, "ContextTimeoutEnabled", "false", "true",
			"a command to a server that hangs keeps its connection until ReadTimeout; set it in the client's options")
	}
	switch c := client.(type) {
	case *redis.Client:
		honorsContext(c.Options().ContextTimeoutEnabled)
		unverified(c.Options().TLSConfig)
	case *redis.ClusterClient:
		o := c.Options()
		honorsContext(o.ContextTimeoutEnabled)
		unverified(o.TLSConfig)
		reportIf(!o.DisableRoutingPolicies, "DisableRoutingPolicies", "false", "true",
			"a client's first command asks any three nodes for their command table, and waits 5 s for those that hang; set it in the client's options")
		reportIf(replicaReads(o), "ReadOnly, RouteByLatency, RouteRandomly", "true", "false",
			"a replica lags behind, so long records come through a script instead, at twice the time; give reprise a client of its own without them")
	}
	return all
}
