package redisurl

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// No text makes Parse panic, and a client can be made of whatever it accepts.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"redis://user:pass@host:6379/0?pool_size=3", "redis://a:1,redis://b:2", "rediss://a?skip_verify=1", "unix:///run/redis.sock?db=1",
		"redis+sentinel://u:p@a:1,[::1]:2/name/3?sentinel_password=x", "redis://[::1%25lo]:1", "redis://%41:%42@c", "://", "redis://?&&=", "redis://a?addr=[]:1",
		"redis://a?conn_max_lifetime=1&conn_max_lifetime_jitter=-1", "redis://,redis://,rediss://",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := Parse(text)
		if (target == nil) == (err == nil) {
			t.Fatalf("got %v, %v", target, err)
		}
		if err != nil {
			return
		}
		if slices.Contains(target.Options.Addrs, "") || len(target.Options.Addrs) == 0 {
			t.Errorf("addresses %q", target.Options.Addrs)
		}
		closes(target)
	})
}

// A password that is escaped comes back as it was. One that isn't escaped is never quoted, whatever
// fault it makes of the URL.
func FuzzPassword(f *testing.F) {
	f.Add("user", "p@ss/w?rd#%&+,:;=", "pool_size=x", uint8(0))
	f.Add("", "redis://x", "no_such_option", uint8(1))
	f.Add("u", "%zzqqqq", "addr=a", uint8(2))
	f.Add("u", "qqqq?pool_qqqq=1&dial_timeout=qqqq", "cluster=1", uint8(3))
	f.Add("u", "1234,redis://5678", "", uint8(0))
	f.Fuzz(func(t *testing.T, user, password, query string, form uint8) {
		build := func(user, password string) string {
			switch form % 4 {
			case 0:
				return "redis://" + user + ":" + password + "@host:6379/0?" + query
			case 1:
				return "redis://" + user + ":" + password + "@host:6379,redis://host2:6379?" + query
			case 2:
				return "unix://" + user + ":" + password + "@/run/redis.sock?" + query
			}
			return "redis+sentinel://s1,s2/name?sentinel_username=" + user + "&sentinel_password=" + password
		}
		escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
		target, err := Parse(build(escape(user), escape(password)))
		switch {
		case err == nil:
			o := target.Options
			got := [2]string{o.Username, o.Password}
			if form%4 == 3 {
				got = [2]string{o.SentinelUsername, o.SentinelPassword}
			}
			if got != [2]string{user, password} {
				t.Errorf("%q and %q came back as %q", user, password, got)
			}
		case password != "" && (form%4 == 3 && user != "" || form%4 != 3 && query == ""):
			t.Errorf("escaped, and refused: %v", err)
		}

		// The error must quote no piece of the password that is long enough to differ from our
		// words.
		_, err = Parse(build(user, password))
		if err == nil {
			return
		}
		for i := 0; i+4 <= len(password); i++ {
			piece := password[i : i+4]
			if strings.Contains(err.Error(), piece) && !strings.Contains(query, piece) && !ours(piece) {
				t.Errorf("%q gives %q away", err, piece)
			}
		}
	})
}

// ours reports whether the piece is part of this package's own words.
func ours(piece string) bool { return strings.Contains(words(), piece) }

// words returns all the words that the errors of this package can have.
var words = sync.OnceValue(func() string {
	var b strings.Builder
	for name := range options {
		for _, kind := range []Kind{Single, Cluster, Sentinel} {
			fmt.Fprintf(&b, "got option %s, want got option %s twice, want got option %s for %v, want got option %s without TLS, want ", name, name, name, kind, name)
			fmt.Fprintf(&b, "got an unescaped %% in option %s, want ", name)
		}
	}
	for _, kind := range []Kind{Single, Cluster, Sentinel} {
		for _, secure := range []bool{false, true} {
			b.WriteString("want one of " + strings.Join((&Target{Kind: kind}).names(secure), ", ") + "\ngot ")
		}
	}
	for _, name := range []string{"redisurl.go", "node.go", "address.go", "options.go", "tls.go"} {
		source, _ := os.ReadFile(name)
		for _, quoted := range strings.Split(string(source), `"`) {
			b.WriteString("got " + quoted + ", want " + quoted + "\n")
		}
	}
	return b.String()
})

// closes makes a client, because go-redis panics at some options, and dials nothing.
func closes(t *Target) {
	t.Options.MinIdleConns = 0
	_ = t.Client().Close()
}

func dump(v any) string { return fmt.Sprintf("%+v", v) }
