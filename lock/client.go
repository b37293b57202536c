package lock

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/envconf"
)

// ClientFromEnv makes a client of the variable REDIS_URL behind prefix, without contacting Redis.
// The client ends a command when its context does (ContextTimeoutEnabled), and a cluster's sends it
// without asking for a command table first (DisableRoutingPolicies). Accepted are
//
//	redis://user:password@host:6379/0                          one server
//	redis://host1:7001?addr=host2:7002&addr=host3:7003         a cluster
//	redis://host1:7001,redis://host2:7002                      a cluster
//
// and the same with rediss:// for TLS, and with go-redis's options as query parameters. A single
// node of a cluster can be named with ?cluster=true. The client is nil if the variable isn't set.
// An error names the variable but not its value, which may hold a password.
func ClientFromEnv(prefix string, environ []string) (redis.UniversalClient, error) {
	var c struct {
		URL string `env:"REDIS_URL"`
	}
	if err := envconf.Parse(prefix, environ, &c); err != nil || c.URL == "" {
		return nil, err
	}
	client, ok := clientOf(c.URL)
	if !ok {
		return nil, &ConfigError{Name: prefix + "REDIS_URL", Want: "redis://[user:password@]host:port[/db], " +
			"or several nodes of a cluster as redis://host:port?addr=host:port&addr=host:port"}
	}
	return client, nil
}

func clientOf(nodes string) (redis.UniversalClient, bool) {
	first, more, several := strings.Cut(nodes, ",")
	u, err := url.Parse(first)
	if err != nil {
		return nil, false
	}
	query := u.Query()
	for several {
		var next string
		next, more, several = strings.Cut(more, ",")
		o, err := redis.ParseURL(next)
		if err != nil || !strings.HasPrefix(next, u.Scheme+"://") { // TLS for all nodes, or for none
			return nil, false
		}
		query.Add("addr", o.Addr)
	}
	cluster := query.Has("addr")
	if query.Has("cluster") {
		said, err := strconv.ParseBool(query.Get("cluster"))
		if err != nil || cluster && !said {
			return nil, false
		}
		cluster = said
		query.Del("cluster")
	}
	u.RawQuery = query.Encode()

	if cluster {
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, false
		}
		o.ContextTimeoutEnabled = true
		o.DisableRoutingPolicies = true
		return redis.NewClusterClient(o), true
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, false
	}
	o.ContextTimeoutEnabled = true
	return redis.NewClient(o), true
}
