// Package redisurl reads the URL of a Redis: one server, a cluster, or a primary behind Sentinel.
//
//	redis://user:password@host:6379/0                          one server
//	unix://user:password@/run/redis.sock?db=0                  one server, on its socket
//	redis://host1:7001,redis://host2:7002                      a cluster
//	redis://host1:7001?addr=host2:7002                         a cluster
//	redis://host1:7001?cluster=true                            a cluster, by one of its nodes
//	redis+sentinel://user:password@s1:26379,s2:26379/name/0    a primary, by its name among sentinels
//
// rediss and rediss+sentinel are the same over TLS. The form for Sentinel is that of redis-py's
// companions (redis-sentinel-url, RedisVL, Prefect). The options are go-redis's, and our own for
// certificates.
//
// No error of this package quotes more of a URL than its scheme and the names of its options,
// because any other part may belong to a password. So the package doesn't use net/url to parse: the
// errors of net/url quote their input.
package redisurl

import (
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A Fault is one fault of a URL. It quotes no part of a password.
type Fault struct {
	Got  string // what is wrong
	Want string // what is accepted instead
}

func (f *Fault) Error() string { return "got " + f.Got + ", want " + f.Want }

// A Kind is a kind of Redis deployment. The kinds are bits, so that an option can name several.
type Kind uint8

const (
	Single Kind = 1 << iota
	Cluster
	Sentinel

	all = Single | Cluster | Sentinel
)

func (k Kind) String() string {
	return map[Kind]string{Single: "one server", Cluster: "a cluster", Sentinel: "Sentinel"}[k]
}

// A Target is what a URL leads to.
type Target struct {
	Kind    Kind
	Options redis.UniversalOptions

	tls     tlsFiles
	addrs   []string // further addresses, given by the option addr
	cluster *bool    // the option cluster, or nil
}

// Forms lists the forms of a URL, for an error.
const Forms = "redis://[user:password@]host:port[/db], rediss:// for TLS, unix:///path/to/socket, " +
	"nodes of a cluster as redis://host:port,redis://host:port, or redis+sentinel://host:port,host:port/name"

// Client returns a client for the target. A command ends when its context ends, and the client of a
// cluster doesn't ask the nodes for their command tables.
func (t *Target) Client() redis.UniversalClient {
	o := t.Options
	o.ContextTimeoutEnabled = true
	switch t.Kind {
	case Cluster:
		c := o.Cluster()
		c.DisableRoutingPolicies = true
		return redis.NewClusterClient(c)
	case Sentinel:
		return redis.NewFailoverClient(o.Failover())
	}
	return redis.NewClient(o.Simple())
}

// schemes lists the schemes of URLs.
var schemes = map[string]struct {
	kind Kind
	tls  bool
}{
	"redis":           {Single, false},
	"rediss":          {Single, true},
	"unix":            {Single, false},
	"redis+sentinel":  {Sentinel, false},
	"rediss+sentinel": {Sentinel, true},
}

// Parse reads a URL, and the files of certificates that it names. The error is a *Fault, or several
// of them joined if several options are at fault.
func Parse(text string) (*Target, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, &Fault{"white space or a control character", "%20 for a space in a password, and none elsewhere"}
	}
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	form, known := schemes[scheme]
	switch {
	case !ok:
		return nil, &Fault{"a URL without a scheme", Forms}
	case !known:
		return nil, &Fault{foreignScheme(scheme), Forms}
	}
	t := &Target{Kind: form.kind}
	texts, ok := splitNodes(scheme, rest)
	if !ok {
		return nil, &Fault{
			"some nodes with TLS and some without", "rediss:// for all of them, or redis://",
		}
	}
	if len(texts) > 1 {
		t.Kind = Cluster
	}
	var options []string
	for _, text := range texts {
		n, err := parseNode(scheme, text)
		if err != nil {
			return nil, err
		}
		if err := t.add(n); err != nil {
			return nil, err
		}
		options = append(options, n.options...)
	}
	if err := t.finish(scheme, form.tls, options); err != nil {
		return nil, err
	}
	return t, nil
}

// add adds a node to the target. Only the first one needs a user and a password.
func (t *Target) add(n node) error {
	o := &t.Options
	if len(o.Addrs) == 0 {
		o.Username, o.Password = n.user, n.password
		o.Addrs = n.addrs
		o.MasterName, o.DB = n.primary, n.db
		return nil
	}
	if (n.user != "" || n.password != "") && (n.user != o.Username || n.password != o.Password) {
		return &Fault{
			"another user or password for another node", "the same for all nodes, at the first of them",
		}
	}
	o.Addrs = append(o.Addrs, n.addrs...)
	o.DB = max(o.DB, n.db)
	return nil
}

// foreignScheme names a scheme that isn't one of ours, unless it may be part of a password.
func foreignScheme(scheme string) string {
	for _, r := range scheme {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '+' || r == '-') {
			return "another scheme"
		}
	}
	return "the scheme " + scheme
}

// finish applies the options, and checks the rules between them.
func (t *Target) finish(scheme string, secure bool, options []string) error {
	// Two options make a cluster of the target, and the kind of target decides which options there
	// are. So these two are read first.
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		isTrue, _ := strconv.ParseBool(value)
		makesCluster := name == "addr" || name == "cluster" && isTrue
		if t.Kind == Single && scheme != "unix" && makesCluster {
			t.Kind = Cluster
		}
	}
	if err := t.apply(secure, options); err != nil {
		return err
	}
	switch {
	case t.Kind == Single && t.cluster != nil && *t.cluster:
		return &Fault{
			"option cluster for a socket",
			"redis://host:port?cluster=true: nodes send clients to each other's addresses",
		}
	case t.Kind == Cluster && t.cluster != nil && !*t.cluster:
		return &Fault{"cluster=false beside several nodes", "one node, or cluster=true"}
	case t.Kind == Cluster && t.Options.DB != 0:
		return &Fault{
			"a database number beside a cluster", "none, or 0: a cluster has no other",
		}
	}
	t.Options.Addrs = append(t.Options.Addrs, t.addrs...)
	t.Options.IsClusterMode = t.Kind == Cluster
	if o := &t.Options; o.ConnMaxLifetimeJitter > o.ConnMaxLifetime {
		o.ConnMaxLifetimeJitter = o.ConnMaxLifetime
	}
	if !secure {
		return nil
	}
	config, err := t.tls.config(t.Options.Addrs[0])
	t.Options.TLSConfig = config
	return err
}
