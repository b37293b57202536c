package lock

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

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

// verdict is an error in strict mode and a warning otherwise.
func verdict(cfg Config, findings []*SettingError) error {
	if cfg.Strict {
		return joined(findings)
	}
	for _, f := range findings {
		cfg.Logger.LogAttrs(context.Background(), logSetting.Level, logSetting.Text, logSetting.Attr(),
			slog.String("setting", f.Setting), slog.String("where", f.Where),
			slog.String("got", f.Got), slog.String("want", f.Want), slog.String("cure", f.Cure))
	}
	return nil
}

func joined(findings []*SettingError) error {
	var errs []error
	for _, f := range findings {
		errs = append(errs, f)
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

// replicaReads tells a client that may read from replicas, which lag behind.
func replicaReads(o *redis.ClusterOptions) bool {
	return o.ReadOnly || o.RouteByLatency || o.RouteRandomly
}
