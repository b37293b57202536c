package lock

import (
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/redisurl"
)

// ClientFromEnv makes a client of the variable REDIS_URL behind prefix, without contacting Redis.
// The client ends a command when its context does (ContextTimeoutEnabled), and a cluster's sends it
// without asking for a command table first (DisableRoutingPolicies). Accepted are
//
//	redis://user:password@host:6379/0                          one server
//	unix://user:password@/run/redis.sock?db=0                  one server, on its socket
//	redis://host1:7001,redis://host2:7002                      a cluster
//	redis://host1:7001?addr=host2:7002&addr=host3:7003         a cluster
//	redis://host1:7001?cluster=true                            a cluster, by one of its nodes
//	redis+sentinel://user:password@s1:26379,s2:26379/name/0    a primary, by its name among sentinels
//
// and the same with rediss:// and rediss+sentinel:// for TLS. Options are go-redis's (pool_size,
// read_timeout and so on), and besides:
//
//	sentinel_username, sentinel_password   for the sentinels; user and password are the servers'
//	ca_file                                PEM of the authorities that the servers' certificates come from
//	cert_file, key_file                    PEM of a client certificate and its key
//	server_name                            the name in all servers' certificates, if not that of the first host
//
// In users, passwords and options / ? # @ and % stand as %2F %3F %23 %40 and %25. The client is nil
// if the variable isn't set. The error, a *ConfigError for each fault, names the variable and what
// is wrong with it, and repeats nothing of a password.
func ClientFromEnv(prefix string, environ []string) (redis.UniversalClient, error) {
	url := config.Variable(prefix, "REDIS_URL", environ)
	if url == "" {
		return nil, nil
	}
	target, err := redisurl.Parse(url)
	if err != nil {
		return nil, urlFaults(prefix+"REDIS_URL", err)
	}
	return target.Client(), nil
}

// urlFaults are the faults of a URL as those of a variable.
func urlFaults(name string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var faults []error
		for _, e := range joined.Unwrap() {
			faults = append(faults, urlFaults(name, e))
		}
		return errors.Join(faults...)
	}
	fault := err.(*redisurl.Fault) // all that Parse returns
	return &ConfigError{Name: name, Value: fault.Got, Want: fault.Want}
}
