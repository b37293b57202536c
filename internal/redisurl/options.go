package redisurl

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An option is one that can stand behind the question mark.
type option struct {
	kinds Kind
	field func(*Target) any // a pointer to what it sets; its type decides the syntax
}

// options by name. Those that go-redis has as well mean the same as there.
var options = map[string]option{
	"client_name":                {all, func(t *Target) any { return &t.Options.ClientName }},
	"protocol":                   {all, func(t *Target) any { return (*protocol)(&t.Options.Protocol) }},
	"max_retries":                {all, func(t *Target) any { return (*orNone)(&t.Options.MaxRetries) }},
	"min_retry_backoff":          {all, func(t *Target) any { return &t.Options.MinRetryBackoff }},
	"max_retry_backoff":          {all, func(t *Target) any { return &t.Options.MaxRetryBackoff }},
	"dial_timeout":               {all, func(t *Target) any { return (*wait)(&t.Options.DialTimeout) }},
	"dialer_retries":             {all, func(t *Target) any { return &t.Options.DialerRetries }},
	"dialer_retry_timeout":       {all, func(t *Target) any { return &t.Options.DialerRetryTimeout }},
	"read_timeout":               {all, func(t *Target) any { return &t.Options.ReadTimeout }},
	"write_timeout":              {all, func(t *Target) any { return &t.Options.WriteTimeout }},
	"pool_fifo":                  {all, func(t *Target) any { return &t.Options.PoolFIFO }},
	"pool_size":                  {all, func(t *Target) any { return &t.Options.PoolSize }},
	"pool_timeout":               {all, func(t *Target) any { return (*wait)(&t.Options.PoolTimeout) }},
	"min_idle_conns":             {all, func(t *Target) any { return &t.Options.MinIdleConns }},
	"max_idle_conns":             {all, func(t *Target) any { return &t.Options.MaxIdleConns }},
	"max_active_conns":           {all, func(t *Target) any { return &t.Options.MaxActiveConns }},
	"max_concurrent_dials":       {all, func(t *Target) any { return &t.Options.MaxConcurrentDials }},
	"pipeline_pool_size":         {all, func(t *Target) any { return (*orNone)(&t.Options.PipelinePoolSize) }},
	"pipeline_read_buffer_size":  {all, func(t *Target) any { return &t.Options.PipelineReadBufferSize }},
	"pipeline_write_buffer_size": {all, func(t *Target) any { return &t.Options.PipelineWriteBufferSize }},
	"conn_max_idle_time":         {all, func(t *Target) any { return &t.Options.ConnMaxIdleTime }},
	"idle_timeout":               {all, func(t *Target) any { return &t.Options.ConnMaxIdleTime }}, // its old name
	"conn_max_lifetime":          {all, func(t *Target) any { return &t.Options.ConnMaxLifetime }},
	"max_conn_age":               {all, func(t *Target) any { return &t.Options.ConnMaxLifetime }}, // its old name
	"conn_max_lifetime_jitter":   {all, func(t *Target) any { return &t.Options.ConnMaxLifetimeJitter }},

	"db": {Single | Sentinel, func(t *Target) any { return &t.Options.DB }},

	"addr":                       {Cluster, func(t *Target) any { return &t.extra }},
	"cluster":                    {Single | Cluster, func(t *Target) any { return &t.said }},
	"max_redirects":              {Cluster, func(t *Target) any { return (*orNone)(&t.Options.MaxRedirects) }},
	"read_only":                  {Cluster, func(t *Target) any { return &t.Options.ReadOnly }},
	"route_by_latency":           {Cluster, func(t *Target) any { return &t.Options.RouteByLatency }},
	"route_by_latency_tolerance": {Cluster, func(t *Target) any { return &t.Options.RouteByLatencyTolerance }},
	"route_randomly":             {Cluster, func(t *Target) any { return &t.Options.RouteRandomly }},
	"failing_timeout_seconds":    {Cluster, func(t *Target) any { return &t.Options.FailingTimeoutSeconds }},

	"sentinel_username": {Sentinel, func(t *Target) any { return &t.Options.SentinelUsername }},
	"sentinel_password": {Sentinel, func(t *Target) any { return &t.Options.SentinelPassword }},

	"ca_file":     {all, func(t *Target) any { return &t.tls.ca }},
	"cert_file":   {all, func(t *Target) any { return &t.tls.cert }},
	"key_file":    {all, func(t *Target) any { return &t.tls.key }},
	"server_name": {all, func(t *Target) any { return &t.tls.serverName }},
	"skip_verify": {all, func(t *Target) any { return &t.tls.skipVerify }},
}

// forTLS are the options that say nothing without it.
var forTLS = []string{"ca_file", "cert_file", "key_file", "server_name", "skip_verify"}

// orNone is a number that can be turned off.
type orNone int

// wait is a time that can't be unlimited: go-redis takes the absence of a limit on these for one that is over,
// and no connection is ever made, or waited for.
type wait time.Duration

// protocol is a version of RESP.
type protocol int

// maxNumber is beyond any use, and far from what go-redis panics at.
const maxNumber = 1 << 20

// apply sets what the options say. All that are at fault are returned at once.
func (t *Target) apply(secure bool, query []string) error {
	var faults []error
	fault := func(got, want string) { faults = append(faults, &Fault{got, want}) }
	seen := map[string]bool{}
	for _, pair := range query {
		name, text, _ := strings.Cut(pair, "=")
		o, known := options[name]
		value, ok := unescape(text)
		switch {
		case pair == "":
		case !known:
			fault(t.unknown(name, query), "one of "+strings.Join(t.names(secure), ", "))
		case o.kinds&t.Kind == 0:
			fault(fmt.Sprintf("option %s for %v", name, t.Kind), "one of "+strings.Join(t.names(secure), ", "))
		case slices.Contains(forTLS, name) && !secure:
			fault("option "+name+" without TLS", "rediss:// or rediss+sentinel:// before it")
		case !ok:
			fault("an unescaped % in option "+name, escapes)
		case seen[name] && name != "addr":
			fault("option "+name+" twice", "it once")
		default:
			if want := set(o.field(t), value); want != "" {
				fault("option "+name, want)
			}
		}
		seen[name] = true
	}
	if t.Options.SentinelUsername != "" && t.Options.SentinelPassword == "" {
		fault("option sentinel_username", "sentinel_password beside it")
	}
	return errors.Join(faults...)
}

// unknown says what isn't an option. It may be the rest of a password that was not escaped, and is
// then not repeated.
func (t *Target) unknown(name string, query []string) string {
	secret := slices.ContainsFunc(query, func(pair string) bool { return strings.HasPrefix(pair, "sentinel_password=") })
	odd := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }
	switch {
	case secret:
		return "an unknown option beside sentinel_password (in which & has to be %26)"
	case len(name) > 40 || strings.IndexFunc(name, odd) >= 0:
		return "an unknown option"
	}
	return "an unknown option, " + name
}

// names are the options that such a URL can have.
func (t *Target) names(secure bool) (names []string) {
	for name, o := range options {
		if o.kinds&t.Kind != 0 && (secure || !slices.Contains(forTLS, name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// set returns what is accepted if that isn't the value.
func set(field any, value string) (want string) {
	var err error
	switch p := field.(type) {
	case *string:
		if *p = value; value == "" {
			return "a value"
		}
	case *bool:
		if *p, err = strconv.ParseBool(value); err != nil {
			return "true or false"
		}
	case **bool:
		said, err := strconv.ParseBool(value)
		if *p = &said; err != nil {
			return "true or false"
		}
	case *int:
		if *p, err = strconv.Atoi(value); err != nil || *p < 0 || *p > maxNumber {
			return fmt.Sprintf("a whole number from 0 to %d", maxNumber)
		}
	case *orNone:
		n, err := strconv.Atoi(value)
		if *p = orNone(n); err != nil || n < -1 || n > maxNumber {
			return fmt.Sprintf("a whole number up to %d, or -1 for none", maxNumber)
		}
	case *protocol:
		if value != "2" && value != "3" {
			return "2 or 3"
		}
		*p = protocol(value[0] - '0')
	case *wait:
		if want := set((*time.Duration)(p), value); want != "" || *p <= 0 {
			return "a duration above 0, such as 250ms or 5s"
		}
	case *time.Duration:
		// As go-redis has it: a bare number is seconds, and none at all is no limit.
		if n, err := strconv.Atoi(value); err == nil && n <= maxNumber {
			*p = time.Duration(n) * time.Second
		} else if *p, err = time.ParseDuration(value); err != nil {
			return "a duration such as 250ms or 5s"
		}
		if *p <= 0 {
			*p = -1
		}
	case *[]string:
		host, port, err := net.SplitHostPort(value)
		if err != nil || host == "" || port == "" {
			return "host:port"
		}
		addr, err := address(value, "", false)
		if err != nil {
			return "host:port"
		}
		*p = append(*p, addr)
	}
	return ""
}
