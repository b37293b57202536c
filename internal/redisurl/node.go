package redisurl

import (
	"net/url"
	"strconv"
	"strings"
)

// splitNodes splits what follows the first scheme into the nodes of a cluster. A node begins with a
// comma and its scheme, because a comma alone may belong to a password. ok is false for nodes with
// different schemes.
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

// A node is the parts of a URL, or of one node in the URL of a cluster.
type node struct {
	user, password string
	addrs          []string
	primary        string // its name among sentinels
	db             int
	options        []string // name=value, still escaped
}

const escapes = "%2F for /, %3F for ?, %23 for #, %40 for @ and %25 for % in a user, a password or an option"

// parseNode reads the text of one node, without its scheme.
func parseNode(scheme, text string) (n node, err error) {
	text, fragment, hasFragment := strings.Cut(text, "#")
	if hasFragment && !strings.Contains(fragment, "@") {
		return n, &Fault{"an unescaped #", escapes}
	}
	authority, path := text, ""
	if i := strings.IndexAny(text, "/?"); i >= 0 {
		authority, path = text[:i], text[i:]
	}
	if strings.Contains(path, "@") || hasFragment { // the password has one of these characters
		return n, &Fault{"an unescaped /, ?, # or @", escapes}
	}
	path, query, _ := strings.Cut(path, "?")
	if query != "" {
		n.options = strings.Split(query, "&")
	}
	hosts := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		hosts = authority[i+1:]
		if err := n.credentials(authority[:i]); err != nil {
			return n, err
		}
	}
	switch scheme {
	case "unix":
		err = n.socket(hosts, path)
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

// credentials reads user:password.
func (n *node) credentials(text string) error {
	user, password, _ := strings.Cut(text, ":")
	var okUser, okPassword bool
	n.user, okUser = unescape(user)
	n.password, okPassword = unescape(password)
	switch {
	case !okUser || !okPassword:
		return &Fault{"an unescaped % in the user or the password", escapes}
	case n.user != "" && n.password == "":
		return &Fault{
			"a user without a password",
			"user:password@, or :password@ where there is a password alone",
		}
	}
	return nil
}

// socket reads the path of a Unix socket.
func (n *node) socket(hosts, path string) error {
	file, ok := unescape(path)
	switch {
	case !ok:
		return &Fault{"an unescaped % in the path", escapes}
	case hosts != "":
		return &Fault{
			"a host in the URL of a socket", "unix:///path/to/socket, with three slashes",
		}
	case file == "" || strings.HasSuffix(file, "/"):
		return &Fault{"no path of a socket", "unix:///path/to/socket"}
	}
	n.addrs = []string{file}
	return nil
}

// server reads the host and the database of a server, or of a node of a cluster.
func (n *node) server(hosts, path string) error {
	addr, fault := address(hosts, "6379", true)
	if fault != nil {
		return fault
	}
	n.addrs = []string{addr}
	return n.database(strings.Trim(path, "/"))
}

// sentinels reads the addresses of sentinels, the name of the primary, and its database.
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
	if n.primary, ok = unescape(name); !ok {
		return &Fault{"an unescaped % in the name of the primary", escapes}
	}
	if n.primary == "" {
		return &Fault{
			"no name of a primary",
			"the name that SENTINEL MONITOR gave it, as in redis+sentinel://s1:26379,s2:26379/mymaster",
		}
	}
	return n.database(db)
}

func (n *node) database(db string) error {
	if db == "" {
		return nil
	}
	var err error
	if n.db, err = strconv.Atoi(db); err != nil || n.db < 0 {
		return &Fault{"a path that is no database number", "a number such as /0, or nothing"}
	}
	return nil
}

// Redacted returns a URL without its passwords, for somebody to look at, or "" for one that Parse
// refuses: there anything may belong to a password.
func Redacted(text string) string {
	if _, err := Parse(text); err != nil {
		return ""
	}
	scheme, rest, _ := strings.Cut(text, "://")
	nodes, _ := splitNodes(strings.ToLower(scheme), rest)
	for i, node := range nodes {
		path := ""
		if end := strings.IndexAny(node, "/?"); end >= 0 {
			node, path = node[:end], node[end:]
		}
		if at := strings.LastIndexByte(node, '@'); at >= 0 {
			user, _, _ := strings.Cut(node[:at], ":")
			node = user + ":" + hidden + node[at:]
		}
		path, query, asks := strings.Cut(path, "?")
		options := strings.Split(query, "&")
		for i, option := range options {
			if name, _, _ := strings.Cut(option, "="); strings.Contains(name, "password") {
				options[i] = name + "=" + hidden
			}
		}
		if nodes[i] = node + path; asks {
			nodes[i] += "?" + strings.Join(options, "&")
		}
	}
	return scheme + "://" + strings.Join(nodes, ","+scheme+"://")
}

// hidden stands for a password.
const hidden = "***"
