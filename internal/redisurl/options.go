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

// An option is a setting that can follow the question mark.
type option struct {
	kinds Kind              // of targets that have it
	field func(*Target) any // returns a pointer to what it sets, whose type decides the syntax
}

// options are all options, by name. An option that go-redis has as well means the same there.
var options = map[string]option{
	"client_name":                {all, func(t *Target) any { return &t.Options.ClientName }},
	"protocol":                   {all, func(t *Target) any { return (*protocol)(&t.Options.Protocol) }},
	"max_retries":                {all, func(t *Target) any { return (*numberOrNone)(&t.Options.MaxRetries) }},
	"min_retry_backoff":          {all, func(t *Target) any { return &t.Options.MinRetryBackoff }},
	"max_retry_backoff":          {all, func(t *Target) any { return &t.Options.MaxRetryBackoff }},
	"dial_timeout":               {all, func(t *Target) any { return (*limitedWait)(&t.Options.DialTimeout) }},
	"dialer_retries":             {all, func(t *Target) any { return &t.Options.DialerRetries }},
	"dialer_retry_timeout":       {all, func(t *Target) any { return &t.Options.DialerRetryTimeout }},
	"read_timeout":               {all, func(t *Target) any { return &t.Options.ReadTimeout }},
	"write_timeout":              {all, func(t *Target) any { return &t.Options.WriteTimeout }},
	"pool_fifo":                  {all, func(t *Target) any { return &t.Options.PoolFIFO }},
	"pool_size":                  {all, func(t *Target) any { return &t.Options.PoolSize }},
	"pool_timeout":               {all, func(t *Target) any { return (*limitedWait)(&t.Options.PoolTimeout) }},
	"min_idle_conns":             {all, func(t *Target) any { return &t.Options.MinIdleConns }},
	"max_idle_conns":             {all, func(t *Target) any { return &t.Options.MaxIdleConns }},
	"max_active_conns":           {all, func(t *Target) any { return &t.Options.MaxActiveConns }},
	"max_concurrent_dials":       {all, func(t *Target) any { return &t.Options.MaxConcurrentDials }},
	"pipeline_pool_size":         {all, func(t *Target) any { return (*numberOrNone)(&t.Options.PipelinePoolSize) }},
	"pipeline_read_buffer_size":  {all, func(t *Target) any { return &t.Options.PipelineReadBufferSize }},
	"pipeline_write_buffer_size": {all, func(t *Target) any { return &t.Options.PipelineWriteBufferSize }},
	"conn_max_idle_time":         {all, func(t *Target) any { return &t.Options.ConnMaxIdleTime }},
	"idle_timeout":               {all, func(t *Target) any { return &t.Options.ConnMaxIdleTime }}, // its old name
	"conn_max_lifetime":          {all, func(t *Target) any { return &t.Options.ConnMaxLifetime }},
	"max_conn_age":               {all, func(t *Target) any { return &t.Options.ConnMaxLifetime }}, // its old name
	"conn_max_lifetime_jitter":   {all, func(t *Target) any { return &t.Options.ConnMaxLifetimeJitter }},

	"db": {Single | Sentinel, func(t *Target) any { return &t.Options.DB }},

	"addr":                       {Cluster, func(t *Target) any { return &t.addrs }},
	"cluster":                    {Single | Cluster, func(t *Target) any { return &t.cluster }},
	"max_redirects":              {Cluster, func(t *Target) any { return (*numberOrNone)(&t.Options.MaxRedirects) }},
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

// forTLS are the options that have no meaning without TLS.
var forTLS = []string{"ca_file", "cert_file", "key_file", "server_name", "skip_verify"}

// numberOrNone is a number that -1 turns off.
type numberOrNone int

// limitedWait is a duration that can't be unlimited: where go-redis is told not to limit these, it
// takes their time to be over at once, and never gets a connection.
type limitedWait time.Duration

// protocol is a version of RESP.
type protocol int

// maxNumber is more than anybody needs, and far below the numbers at which go-redis panics.
const maxNumber = 1 << 20

// apply sets what the options of a URL say. The error names all that are at fault.
func (t *Target) apply(secure bool, texts []string) error {
	var faults []error
	fault := func(got, want string) { faults = append(faults, &Fault{got, want}) }
	seen := map[string]bool{}
	for _, pair := range texts {
		name, text, _ := strings.Cut(pair, "=")
		o, known := options[name]
		value, ok := unescape(text)
		switch {
		case pair == "":
		case !known:
			fault(t.unknown(name, texts), "one of "+strings.Join(t.names(secure), ", "))
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

// unknown describes an unknown option. It doesn't name one that may be the rest of a password that
// was not escaped.
func (t *Target) unknown(name string, texts []string) string {
	isPassword := func(text string) bool { return strings.HasPrefix(text, "sentinel_password=") }
	isInvalid := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }
	switch {
	case slices.ContainsFunc(texts, isPassword):
		return "an unknown option beside sentinel_password (in which & has to be %26)"
	case len(name) > 40 || strings.ContainsFunc(name, isInvalid):
		return "an unknown option"
	}
	return "an unknown option, " + name
}

// names returns the options that the URL of such a target can have.
func (t *Target) names(secure bool) (names []string) {
	for name, o := range options {
		if o.kinds&t.Kind != 0 && (secure || !slices.Contains(forTLS, name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// set sets field to the value, or returns what is accepted instead of that value.
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
	case **bool: // set or not
		b, err := strconv.ParseBool(value)
		if *p = &b; err != nil {
			return "true or false"
		}
	case *int:
		if *p, err = strconv.Atoi(value); err != nil || *p < 0 || *p > maxNumber {
			return fmt.Sprintf("a whole number from 0 to %d", maxNumber)
		}
	case *numberOrNone:
		n, err := strconv.Atoi(value)
		if *p = numberOrNone(n); err != nil || n < -1 || n > maxNumber {
			return fmt.Sprintf("a whole number up to %d, or -1 for none", maxNumber)
		}
	case *protocol:
		if value != "2" && value != "3" {
			return "2 or 3"
		}
		*p = protocol(value[0] - '0')
	case *limitedWait:
		if want := set((*time.Duration)(p), value); want != "" || *p <= 0 {
			return "a duration above 0, such as 250ms or 5s"
		}
	case *time.Duration:
		// The syntax is that of go-redis: a plain number is in seconds, and 0 means no limit.
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
