package redisurl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		url   string
		kind  Kind
		addrs string
		check func(o redis.UniversalOptions) bool
	}{
		{"redis://host", Single, "host:6379", nil},
		{"REDIS://host", Single, "host:6379", nil},
		{"redis://", Single, "localhost:6379", nil},
		{"redis://:7001/3", Single, "localhost:7001", func(o redis.UniversalOptions) bool { return o.DB == 3 }},
		{"redis://host:7001/?db=4", Single, "host:7001", func(o redis.UniversalOptions) bool { return o.DB == 4 }},
		{"redis://[::1]:7001", Single, "[::1]:7001", nil},
		{"redis://[fe80::1%25eth0]", Single, "[fe80::1%eth0]:6379", nil},
		{"redis://:p,a+s@s:w%2Fo%3Frd%25@host", Single, "host:6379", func(o redis.UniversalOptions) bool { return o.Password == "p,a+s@s:w/o?rd%" && o.Username == "" }},
		{"redis://us%3Aer:pass@host", Single, "host:6379", func(o redis.UniversalOptions) bool { return o.Username == "us:er" && o.Password == "pass" }},
		{"unix:///run/redis.sock", Single, "/run/redis.sock", nil},
		{"unix://user:pass@/run/re%20dis.sock?db=2", Single, "/run/re dis.sock", func(o redis.UniversalOptions) bool { return o.DB == 2 && o.Password == "pass" }},
		{"redis://a:1,redis://b:2", Cluster, "a:1 b:2", nil},
		{"redis://u:p,1@a:1,redis://u:p,1@b:2,redis://c:3/0", Cluster, "a:1 b:2 c:3", func(o redis.UniversalOptions) bool { return o.Username == "u" && o.Password == "p,1" }},
		{"redis://a:1?addr=b:2&addr=[::1]:3", Cluster, "a:1 b:2 [::1]:3", nil},
		{"redis://a:1?pool_size=7,redis://b:2?addr=c:3", Cluster, "a:1 b:2 c:3", nil},
		{"redis://a:1?cluster=true", Cluster, "a:1", nil},
		{"redis://a:1?cluster=false", Single, "a:1", nil},
		{"redis+sentinel://s1/name", Sentinel, "s1:26379", func(o redis.UniversalOptions) bool { return o.MasterName == "name" }},
		{"redis+sentinel://user:pass@s1:1,s2,[::1]:3/my%20name/5?sentinel_username=su&sentinel_password=s+p%26", Sentinel, "s1:1 s2:26379 [::1]:3",
			func(o redis.UniversalOptions) bool {
				return o.MasterName == "my name" && o.DB == 5 && o.Username == "user" && o.Password == "pass" &&
					o.SentinelUsername == "su" && o.SentinelPassword == "s+p&"
			}},
		{"redis://a?read_timeout=0&write_timeout=3&dial_timeout=7s&max_retries=-1&pool_size=9&pool_fifo=true&client_name=n&protocol=2", Single, "a:6379",
			func(o redis.UniversalOptions) bool {
				return o.ReadTimeout == -1 && o.WriteTimeout == 3*time.Second && o.DialTimeout == 7*time.Second &&
					o.MaxRetries == -1 && o.PoolSize == 9 && o.PoolFIFO && o.ClientName == "n" && o.Protocol == 2
			}},
		{"redis://a?conn_max_lifetime=1m&conn_max_lifetime_jitter=2m", Single, "a:6379", func(o redis.UniversalOptions) bool { return o.ConnMaxLifetimeJitter == time.Minute }},
		{"rediss://a", Single, "a:6379", func(o redis.UniversalOptions) bool {
			return o.TLSConfig.ServerName == "a" && !o.TLSConfig.InsecureSkipVerify
		}},
		{"rediss://a:1,rediss://b:2?server_name=redis.internal&skip_verify=true", Cluster, "a:1 b:2", func(o redis.UniversalOptions) bool {
			return o.TLSConfig.ServerName == "redis.internal" && o.TLSConfig.InsecureSkipVerify
		}},
		{"rediss+sentinel://s1,s2/name", Sentinel, "s1:26379 s2:26379", func(o redis.UniversalOptions) bool { return o.TLSConfig.ServerName == "s1" }},
	} {
		t.Run(tc.url, func(t *testing.T) {
			got, err := Parse(tc.url)
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != tc.kind || strings.Join(got.Options.Addrs, " ") != tc.addrs {
				t.Errorf("got %v at %q", got.Kind, got.Options.Addrs)
			}
			if secure := strings.HasPrefix(strings.ToLower(tc.url), "rediss"); secure != (got.Options.TLSConfig != nil) {
				t.Errorf("TLS: %v", !secure)
			}
			if tc.check != nil && !tc.check(got.Options) {
				t.Errorf("got %+v", got.Options)
			}
		})
	}
}

// Each fault has its own words, and none quotes a part of the URL in which a password may be.
func TestParseSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct{ url, got, want string }{
		{"s3cret", "a URL without a scheme", "redis://"},
		{"host-s3cret:6379", "a URL without a scheme", "redis://"},
		{"http://user:s3cret@host", "the scheme http", "redis://"},
		{"redis-sentinel://user:s3cret@host", "the scheme redis-sentinel", "redis+sentinel://"},
		{"us:er://user:s3cret@host", "another scheme", "redis://"},
		{"redis://user:s3 cret@host", "white space or a control character", "%20"},
		{"redis://user:s3cret@host\n", "white space or a control character", "%20"},
		{"redis://user:s3/cret@host", "an unescaped /, ?, # or @", "%2F"},
		{"redis://user:s3?cret@host", "an unescaped /, ?, # or @", "%3F"},
		{"redis://user:s3#cret@host", "an unescaped /, ?, # or @", "%23"},
		{"redis://user:s3@x/cret@host", "an unescaped /, ?, # or @", "%40"},
		{"redis+sentinel://h/n?sentinel_password=s3#cret", "an unescaped #", "%23"},
		{"redis://user:s3%zzcret@host", "an unescaped % in the user or the password", "%25"},
		{"redis://us%er:s3cret@host", "an unescaped % in the user or the password", "%25"},
		{"redis://s3cret@host", "a user without a password", ":password@"},
		{"redis://user:@host", "a user without a password", ":password@"},
		{"redis://user:s3cret@host:port", "an invalid port", "1 to 65535"},
		{"redis://user:s3cret", "an invalid port", "%40"},
		{"redis://user:s3cret@host:0", "an invalid port", "1 to 65535"},
		{"redis://user:s3cret@host:65536", "an invalid port", "1 to 65535"},
		{"redis://user:s3cret@a,b:2", "a comma in the host", "redis://host1:7001,redis://host2:7002"},
		{"redis://user:s3cret@a,", "a comma in the host", "redis://host1:7001,redis://host2:7002"},
		{"redis://user:s3cret@::1", "an IPv6 address without brackets", "[::1]:6379"},
		{"redis://user:s3cret@[::1", "brackets, but no IPv6 address in them", "[::1]:6379"},
		{"redis://user:s3cret@[host]:1", "brackets, but no IPv6 address in them", "[::1]:6379"},
		{"redis://user:s3cret@ho$t", "an invalid host", "a name or an address"},
		{"redis://user:s3cret@host/notadb", "a path that is no database number", "/0"},
		{"redis://user:s3cret@host/-1", "a path that is no database number", "/0"},
		{"redis://user:s3cret@host/0/1", "a path that is no database number", "/0"},
		{"redis://user:s3cret@a/3?cluster=true", "a database number beside a cluster", "0"},
		{"redis://user:s3cret@a,redis://b/3", "a database number beside a cluster", "0"},
		{"redis://user:s3cret@a,redis://user:0ther@b", "another user or password for another node", "first"},
		{"redis://user:s3cret@a,rediss://b", "some nodes with TLS and some without", "rediss://"},
		{"redis://user:s3cret@a?addr=b:2&cluster=false", "cluster=false beside several nodes", "cluster=true"},
		{"redis://user:s3cret@a?addr=", "option addr", "host:port"},
		{"redis://user:s3cret@a?addr=b", "option addr", "host:port"},
		{"redis://user:s3cret@a?cluster=yes", "option cluster", "true or false"},
		{"redis://user:s3cret@a?no_such_option=1", "an unknown option, no_such_option", "pool_size"},
		{"redis://user:s3cret@a?S3CRET", "an unknown option", "pool_size"},
		{"redis+sentinel://a/n?sentinel_password=s3&cret=1", "an unknown option beside sentinel_password (in which & has to be %26)", "sentinel_username"},
		{"redis://user:s3cret@a?dial_timeout=soon", "option dial_timeout", "250ms"},
		{"redis://user:s3cret@a?dial_timeout=0", "option dial_timeout", "above 0"},
		{"redis://user:s3cret@a?pool_timeout=-1s", "option pool_timeout", "above 0"},
		{"redis://user:s3cret@a?pool_size=many", "option pool_size", "whole number"},
		{"redis://user:s3cret@a?pool_size=-1", "option pool_size", "whole number"},
		{"redis://user:s3cret@a?pool_size=4294967296", "option pool_size", "whole number"},
		{"redis://user:s3cret@a?max_retries=-2", "option max_retries", "-1 for none"},
		{"redis://user:s3cret@a?protocol=1", "option protocol", "2 or 3"},
		{"redis://user:s3cret@a?pool_fifo=si", "option pool_fifo", "true or false"},
		{"redis://user:s3cret@a?client_name=", "option client_name", "a value"},
		{"redis://user:s3cret@a?client_name=%zz", "an unescaped % in option client_name", "%25"},
		{"redis://user:s3cret@a?pool_size=1&pool_size=2", "option pool_size twice", "it once"},
		{"redis://user:s3cret@a?max_redirects=1", "option max_redirects for one server", "pool_size"},
		{"redis://user:s3cret@a?sentinel_password=s3cret", "option sentinel_password for one server", "pool_size"},
		{"redis://user:s3cret@a?skip_verify=true", "option skip_verify without TLS", "rediss://"},
		{"redis://user:s3cret@a?ca_file=/etc/ca.pem", "option ca_file without TLS", "rediss://"},
		{"rediss://user:s3cret@a?cert_file=/etc/cert.pem", "one of the options cert_file and key_file", "both"},
		{"rediss://user:s3cret@a?ca_file=/s3cret/none", "option ca_file: no such file or directory", "PEM"},
		{"rediss://user:s3cret@a?cert_file=/s3cret/none&key_file=/s3cret/none", "option cert_file: no such file or directory", "PEM"},
		{"unix://run/s3cret.sock", "a host in the URL of a socket", "three slashes"},
		{"unix://", "no path of a socket", "unix:///path/to/socket"},
		{"unix:///", "no path of a socket", "unix:///path/to/socket"},
		{"unix:///s3%zzcret", "an unescaped % in the path", "%25"},
		{"unix:///s3cret?cluster=true", "option cluster for a socket", "redis://"},
		{"redis+sentinel://user:s3cret@a:1,b:2", "no name of a primary", "SENTINEL MONITOR"},
		{"redis+sentinel://user:s3cret@a:1,/name", "an empty host", "host:port,host:port"},
		{"redis+sentinel://user:s3cret@a/na%zzme", "an unescaped % in the name of the primary", "%25"},
		{"redis+sentinel://user:s3cret@a/name/db", "a path that is no database number", "/0"},
		{"redis+sentinel://user:s3cret@a/name?sentinel_username=su", "option sentinel_username", "sentinel_password"},
		{"redis+sentinel://user:s3cret@a/name?cluster=true", "option cluster for Sentinel", "sentinel_password"},
	} {
		t.Run(tc.url, func(t *testing.T) {
			target, err := Parse(tc.url)
			f, ok := errors.AsType[*Fault](err)
			if target != nil || !ok {
				t.Fatalf("got %v, %v, want a *Fault", target, err)
			}
			if f.Got != tc.got || !strings.Contains(f.Want, tc.want) {
				t.Errorf("got %q, want %q: %q, and %q in it", f.Got, f.Want, tc.got, tc.want)
			}
			for _, part := range []string{"s3", "cret", "S3", "0ther", "zz"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%q gives %q away", err, part)
				}
			}
		})
	}
}

func TestParseNamesAllOptionsAtFault(t *testing.T) {
	_, err := Parse("redis://a?pool_size=x&protocol=9&nope=1")
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Errorf("got %v, want three faults", err)
	}
}

// Every option sets something, for each kind of target that has it.
func TestEveryOptionIsTaken(t *testing.T) {
	base := map[Kind]string{Single: "rediss://a", Cluster: "rediss://a,rediss://b", Sentinel: "rediss+sentinel://a/n"}
	values := map[string]string{"addr": "c:3", "protocol": "2", "pool_fifo": "true", "cluster": "true", "sentinel_username": "u&sentinel_password=p",
		"read_only": "true", "route_by_latency": "true", "route_randomly": "true", "skip_verify": "true"}
	for name, o := range options {
		for kind, text := range base {
			if o.kinds&kind == 0 || strings.HasSuffix(name, "_file") {
				continue // those have a test of their own
			}
			value := values[name]
			if value == "" {
				value = "7"
			}
			plain, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			var target *Target
			if kind == Single && name == "cluster" {
				value = "false"
			}
			if target, err = Parse(text + "?" + name + "=" + value); err != nil {
				t.Errorf("%s?%s=%s: %v", text, name, value, err)
				continue
			}
			if name == "conn_max_lifetime_jitter" {
				continue // no more than the lifetime, which is none
			}
			before, after := *plain, *target
			before.Options.TLSConfig, after.Options.TLSConfig = nil, nil
			if equal(before, after) {
				t.Errorf("%s?%s=%s sets nothing", text, name, value)
			}
			closes(target)
		}
	}
}

func equal(a, b Target) bool {
	format := func(t Target) string {
		cluster := "nil"
		if t.cluster != nil {
			cluster = strconv.FormatBool(*t.cluster)
		}
		o := t.Options
		return strings.Join([]string{cluster, strings.Join(o.Addrs, ","), dump(o), dump(t.tls)}, "|")
	}
	return format(a) == format(b)
}

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	ca, cert, key := authority(t, dir)
	target, err := Parse("rediss://host?ca_file=" + ca + "&cert_file=" + cert + "&key_file=" + key)
	if err != nil {
		t.Fatal(err)
	}
	c := target.Options.TLSConfig
	if c.RootCAs == nil || len(c.Certificates) != 1 || c.ServerName != "host" || c.InsecureSkipVerify {
		t.Errorf("got %+v", c)
	}
	empty := filepath.Join(dir, "empty+file") // a plus is a plus
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for query, says := range map[string]string{
		"ca_file=" + empty:                         "option ca_file: no certificate in it",
		"ca_file=" + dir:                           "option ca_file: is a directory",
		"cert_file=" + cert + "&key_file=" + dir:   "option key_file: is a directory",
		"cert_file=" + key + "&key_file=" + key:    "options cert_file and key_file: tls: ",
		"cert_file=" + cert + "&key_file=" + empty: "options cert_file and key_file: tls: ",
	} {
		_, err := Parse("rediss://host?" + query)
		if f, ok := errors.AsType[*Fault](err); !ok || !strings.HasPrefix(f.Got, says) || strings.Contains(f.Got, dir) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// authority writes a self-signed certificate and its key.
func authority(t *testing.T, dir string) (ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert = write("cert.pem", "CERTIFICATE", der)
	return cert, cert, write("key.pem", "PRIVATE KEY", keyDER)
}

func TestRedacted(t *testing.T) {
	for url, want := range map[string]string{
		"redis://h:6379":                                 "redis://h:6379",
		"redis://:s3cret@h:6379/2":                       "redis://:***@h:6379/2",
		"redis://app:s3cret@h:6379?db=1":                 "redis://app:***@h:6379?db=1",
		"redis://app:a,b%40c@h:1,redis://h":              "redis://app:***@h:1,redis://h",
		"redis://h:1,redis://app:s3cret@h:2?pool_size=3": "",
		"redis://h:1?addr=h:2&pool_size=3":               "redis://h:1?addr=h:2&pool_size=3",
		"unix://app:s3cret@/run/redis.sock?db=0":         "unix://app:***@/run/redis.sock?db=0",
		"redis+sentinel://app:s3cret@s1:26379,s2:26379/main/0?sentinel_username=x&sentinel_password=s3cret": "redis+sentinel://app:***@s1:26379,s2:26379/main/0?sentinel_username=x&sentinel_password=***",
		"redis://app:s3cret/@h:6379": "",
		"s3cret":                     "",
	} {
		if got := Redacted(url); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
}
