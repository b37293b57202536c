// Package redisurl reads the URL of a Redis: one server, a cluster, or a primary behind Sentinel.
//
//	redis://user:password@host:6379/0                          one server
//	unix://user:password@/run/redis.sock?db=0                  one server, on its socket
//	redis://host1:7001,redis://host2:7002                      a cluster
//	redis://host1:7001?addr=host2:7002                         a cluster
//	redis://host1:7001?cluster=true                            a cluster, by one of its nodes
//	redis+sentinel://user:password@s1:26379,s2:26379/name/0    a primary, by its name among sentinels
//
// rediss and rediss+sentinel are the same over TLS. The form for Sentinel is the one that redis-py's
// companions use (redis-sentinel-url, RedisVL, Prefect); the options are go-redis's, and ours for
// certificates. A URL is read by hand and not by net/url, whose errors repeat what they are about:
// no error of this package repeats more of a URL than its scheme and the names of its options.
package redisurl

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A Fault is one thing that is wrong with a URL. It holds no part of a password.
type Fault struct {
	Got  string // what is wrong
	Want string // what is accepted in its place
}

func (f *Fault) Error() string { return "got " + f.Got + ", want " + f.Want }

// A Kind is what a URL leads to. Each is a bit, for the options that not all of them have.
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

// A Target is what a URL says.
type Target struct {
	Kind    Kind
	Options redis.UniversalOptions

	tls   tlsFiles
	extra []string // addresses by the option addr
	said  *bool    // the option cluster
}

// Forms is what a URL can look like.
const Forms = "redis://[user:password@]host:port[/db], rediss:// for TLS, unix:///path/to/socket, " +
	"nodes of a cluster as redis://host:port,redis://host:port, or redis+sentinel://host:port,host:port/name"

// Client makes the client that the URL is about. It ends a command when its context does, and that of a
// cluster asks no node for its command table.
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

// schemes are those of TCP by whether they mean TLS, and of what else there is.
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

// Parse reads a URL, and the certificates that it names. The error is a *Fault, or several joined if
// several options are at fault.
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
	nodes, ok := splitNodes(scheme, rest)
	if !ok {
		return nil, &Fault{"some nodes with TLS and some without", "rediss:// for all of them, or redis://"}
	}
	if len(nodes) > 1 {
		t.Kind = Cluster
	}
	var query []string
	for i, node := range nodes {
		p, err := parseNode(scheme, node)
		if err != nil {
			return nil, err
		}
		switch {
		case i == 0:
			t.Options.Username, t.Options.Password = p.user, p.password
			t.Options.Addrs = p.addrs
			t.Options.MasterName, t.Options.DB = p.name, p.db
		case (p.user != "" || p.password != "") && (p.user != t.Options.Username || p.password != t.Options.Password):
			return nil, &Fault{"another user or password for another node", "the same for all nodes, at the first of them"}
		default:
			t.Options.Addrs = append(t.Options.Addrs, p.addrs...)
			t.Options.DB = max(t.Options.DB, p.db)
		}
		query = append(query, p.query...)
	}
	if err := t.finish(scheme, form.tls, query); err != nil {
		return nil, err
	}
	return t, nil
}

// splitNodes parts the nodes of a cluster, each with the scheme before it: a comma alone can be one of
// a password's. It fails for nodes with different schemes.
func splitNodes(scheme, rest string) (nodes []string, ok bool) {
	if scheme != "redis" && scheme != "rediss" {
		return []string{rest}, true
	}
	for {
		at, next := -1, ""
		for _, s := range []string{"redis", "rediss"} {
			if i := strings.Index(rest, ","+s+"://"); i >= 0 && (at < 0 || i < at) {
				at, next = i, s
			}
		}
		if at < 0 {
			return append(nodes, rest), true
		}
		if next != scheme {
			return nil, false
		}
		nodes = append(nodes, rest[:at])
		rest = rest[at+len(",://")+len(next):]
	}
}

func foreignScheme(scheme string) string {
	for _, r := range scheme {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '+' || r == '-') {
			return "another scheme"
		}
	}
	return "the scheme " + scheme
}

// A node is one URL's parts.
type node struct {
	user, password string
	addrs          []string
	name           string // of a primary among sentinels
	db             int
	query          []string
}

const escapes = "%2F for /, %3F for ?, %23 for #, %40 for @ and %25 for % in a user, a password or an option"

func parseNode(scheme, text string) (n node, err error) {
	text, fragment, hasFragment := strings.Cut(text, "#")
	if hasFragment && !strings.Contains(fragment, "@") {
		return n, &Fault{"an unescaped #", escapes}
	}
	authority, path := text, ""
	if i := strings.IndexAny(text, "/?"); i >= 0 {
		authority, path = text[:i], text[i:]
	}
	if strings.Contains(path, "@") || hasFragment {
		return n, &Fault{"an unescaped /, ?, # or @", escapes} // the password ended before its time
	}
	path, query, _ := strings.Cut(path, "?")
	if query != "" {
		n.query = strings.Split(query, "&")
	}
	hosts := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		hosts = authority[i+1:]
		user, password, _ := strings.Cut(authority[:i], ":")
		var ok [2]bool
		n.user, ok[0] = unescape(user)
		n.password, ok[1] = unescape(password)
		switch {
		case !ok[0] || !ok[1]:
			return n, &Fault{"an unescaped % in the user or the password", escapes}
		case n.user != "" && n.password == "":
			return n, &Fault{"a user without a password", "user:password@, or :password@ where there is a password alone"}
		}
	}
	switch scheme {
	case "unix":
		file, ok := unescape(path)
		switch {
		case !ok:
			return n, &Fault{"an unescaped % in the path", escapes}
		case hosts != "":
			return n, &Fault{"a host in the URL of a socket", "unix:///path/to/socket, with three slashes"}
		case file == "" || strings.HasSuffix(file, "/"):
			return n, &Fault{"no path of a socket", "unix:///path/to/socket"}
		}
		n.addrs = []string{file}
		return n, nil
	case "redis", "rediss":
		err = n.server(hosts, path)
	default:
		err = n.sentinels(hosts, path)
	}
	return n, err
}

func unescape(s string) (string, bool) {
	s, err := url.PathUnescape(s)
	return s, err == nil
}

// server reads host and database of a server, or of a node of a cluster.
func (n *node) server(hosts, path string) error {
	addr, fault := address(hosts, "6379", true)
	if fault != nil {
		return fault
	}
	n.addrs = []string{addr}
	return n.database(strings.Trim(path, "/"))
}

// sentinels reads the addresses of sentinels, and what they are to be asked for.
func (n *node) sentinels(hosts, path string) error {
	for host := range strings.SplitSeq(hosts, ",") {
		addr, fault := address(host, "26379", false)
		if fault != nil {
			return fault
		}
		n.addrs = append(n.addrs, addr)
	}
	name, db, _ := strings.Cut(strings.Trim(path, "/"), "/")
	var ok bool
	if n.name, ok = unescape(name); !ok {
		return &Fault{"an unescaped % in the name of the primary", escapes}
	}
	if n.name == "" {
		return &Fault{"no name of a primary", "the name that SENTINEL MONITOR gave it, as in redis+sentinel://s1:26379,s2:26379/mymaster"}
	}
	return n.database(db)
}

func (n *node) database(db string) error {
	if db == "" {
		return nil
	}
	var err error
	if n.db, err = strconv.Atoi(db); err != nil || n.db < 0 {
		return &Fault{"a path that is no database", "a number such as /0, or nothing"}
	}
	return nil
}

// address reads host:port, either of which can be left out of a server's.
func address(text, port string, local bool) (string, error) {
	host := text
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		host = text[:i]
		if text[i+1:] != "" {
			port = text[i+1:]
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", &Fault{"a port that is none", "1 to 65535 after the host; in a password, / ? # and @ as %2F %3F %23 and %40"}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, closed := strings.CutSuffix(inner, "]")
		ip, _ = unescape(ip) // %25 before a zone
		if !closed || !isIPv6(ip) {
			return "", &Fault{"brackets around what is no IPv6 address", "as in [::1]:6379"}
		}
		return net.JoinHostPort(ip, port), nil
	}
	switch {
	case host == "" && local:
		host = "localhost"
	case host == "":
		return "", &Fault{"an empty host", "host:port,host:port"}
	case strings.Contains(host, ","):
		return "", &Fault{"a comma in the host", "each node with its scheme, as in redis://host1:7001,redis://host2:7002"}
	case strings.Contains(host, ":"):
		return "", &Fault{"an IPv6 address without brackets", "as in [::1]:6379"}
	case strings.IndexFunc(host, badInHost) >= 0:
		return "", &Fault{"a host that is none", "a name or an address; in a password, / ? # and @ as %2F %3F %23 and %40"}
	}
	return net.JoinHostPort(host, port), nil
}

func isIPv6(s string) bool {
	s, _, _ = strings.Cut(s, "%")
	return strings.Contains(s, ":") && net.ParseIP(s) != nil
}

func badInHost(r rune) bool {
	return r < 0x80 && !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r))
}

// finish applies the options, and the rules across them.
func (t *Target) finish(scheme string, secure bool, query []string) error {
	// The kind decides which options there are, and two of them decide the kind.
	for _, pair := range query {
		name, value, _ := strings.Cut(pair, "=")
		said, _ := strconv.ParseBool(value)
		if t.Kind == Single && scheme != "unix" && (name == "addr" || name == "cluster" && said) {
			t.Kind = Cluster
		}
	}
	if err := t.apply(secure, query); err != nil {
		return err
	}
	switch {
	case t.Kind == Single && t.said != nil && *t.said:
		return &Fault{"option cluster for a socket", "redis://host:port?cluster=true: nodes send clients to each other's addresses"}
	case t.Kind == Cluster && t.said != nil && !*t.said:
		return &Fault{"cluster=false beside several nodes", "one node, or cluster=true"}
	case t.Kind == Cluster && t.Options.DB != 0:
		return &Fault{"a database number beside a cluster", "none, or 0: a cluster has no other"}
	}
	t.Options.Addrs = append(t.Options.Addrs, t.extra...)
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
