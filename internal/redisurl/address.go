package redisurl

import (
	"net"
	"strconv"
	"strings"
)

// address reads host:port. port is the default, and local says that an empty host means localhost.
func address(text, port string, local bool) (string, error) {
	host := text
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		host = text[:i]
		if text[i+1:] != "" {
			port = text[i+1:]
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", &Fault{
			"an invalid port",
			"1 to 65535 after the host; in a password, / ? # and @ as %2F %3F %23 and %40",
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, closed := strings.CutSuffix(inner, "]")
		ip, _ = unescape(ip) // a zone begins with %25
		if !closed || !isIPv6(ip) {
			return "", &Fault{"brackets, but no IPv6 address in them", "as in [::1]:6379"}
		}
		return net.JoinHostPort(ip, port), nil
	}
	switch {
	case host == "" && local:
		host = "localhost"
	case host == "":
		return "", &Fault{"an empty host", "host:port,host:port"}
	case strings.Contains(host, ","):
		return "", &Fault{
			"a comma in the host",
			"each node with its scheme, as in redis://host1:7001,redis://host2:7002",
		}
	case strings.Contains(host, ":"):
		return "", &Fault{"an IPv6 address without brackets", "as in [::1]:6379"}
	case strings.ContainsFunc(host, isInvalidInHost):
		return "", &Fault{
			"an invalid host",
			"a name or an address; in a password, / ? # and @ as %2F %3F %23 and %40",
		}
	}
	return net.JoinHostPort(host, port), nil
}

func isIPv6(s string) bool {
	s, _, _ = strings.Cut(s, "%")
	return strings.Contains(s, ":") && net.ParseIP(s) != nil
}

func isInvalidInHost(r rune) bool {
	isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	isDigit := '0' <= r && r <= '9'
	return r < 0x80 && !isLetter && !isDigit && !strings.ContainsRune("-._", r)
}
