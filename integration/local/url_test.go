package local

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func connect(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := lock.ClientFromEnv("X_", []string{"X_REDIS_URL=" + url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// once checks the client, and runs a request twice: the second is a replay.
func once(t *testing.T, client redis.UniversalClient, key string) {
	t.Helper()
	engine := engineOver(t, client)
	if err := engine.Check(t.Context()); err != nil {
		t.Error(err)
	}
	twice(t, engine, key)
}

func engineOver(t *testing.T, client redis.UniversalClient) *replay.Engine {
	t.Helper()
	engine, err := replay.New(client, replay.Config{Lock: lock.Config{Strict: true, TTL: time.Minute, Timeout: 30 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func twice(t *testing.T, engine *replay.Engine, key string) {
	t.Helper()
	for _, replayed := range []bool{false, true} {
		result, err := engine.Do(t.Context(), replay.Request{Key: key}, func(context.Context) (replay.Answer, error) {
			return replay.Answer{Value: "answer"}, nil
		})
		if err != nil || result.Replayed != replayed {
			t.Errorf("replayed %v, %v, want %v", result.Replayed, err, replayed)
		}
	}
}

// awkward is a password with all that a URL gives a meaning to.
const awkward = "p,a:s/s?w#o@r%d &+="

func TestSocketAndAwkwardPassword(t *testing.T) {
	s := Start(t)
	if err := s.Admin.ConfigSet(t.Context(), "requirepass", awkward).Err(); err != nil {
		t.Fatal(err)
	}
	escaped := url.PathEscape(awkward)
	once(t, connect(t, "unix://:"+escaped+"@"+s.Socket), "socket")
	once(t, connect(t, "redis://:"+escaped+"@"+s.Addr), "tcp")
	once(t, connect(t, "redis://default:"+escaped+"@"+s.Addr+"/3?pool_size=2"), "database")
	if n := s.Admin.DBSize(t.Context()).Val(); n != 2 {
		t.Errorf("%d keys in database 0, want the two records", n) // and none of Check's
	}

	// A rotation: both passwords hold until the old one is taken away, and what is connected stays so.
	old := connect(t, "redis://:"+escaped+"@"+s.Addr)
	once(t, old, "old")
	user := func(rule string) {
		t.Helper()
		if err := s.Admin.Do(t.Context(), "acl", "setuser", "default", rule).Err(); err != nil {
			t.Fatal(err)
		}
	}
	user(">new")
	once(t, connect(t, "redis://:new@"+s.Addr), "new")
	user("<" + awkward)
	twice(t, engineOver(t, old), "still connected")
	err := engineOver(t, old).Check(t.Context()) // wants a connection more, for the channel
	if e, ok := errors.AsType[*lock.SettingError](err); !ok || e.Setting != "SSUBSCRIBE" || !strings.Contains(e.Got, "WRONGPASS") || strings.Contains(e.Cure, "ACL") {
		t.Errorf("got %v, want that it can't connect any more", err)
	}
	once(t, connect(t, "redis://:new@"+s.Addr), "new again")
	refused := connect(t, "redis://:"+escaped+"@"+s.Addr)
	if err := refused.Ping(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), awkward) {
		t.Errorf("got %v, want WRONGPASS", err)
	}
}

// Servers and clients show certificates of a private authority.
func TestCertificatesOfOnesOwn(t *testing.T) {
	ca := newAuthority(t)
	server, client, stranger := ca.issue(t, "redis.internal"), ca.issue(t, "client"), newAuthority(t).issue(t, "client")
	s := Secure(t, "--tls-cert-file", server.cert, "--tls-key-file", server.key, "--tls-ca-cert-file", ca.cert, "--tls-auth-clients", "yes")
	base := "rediss://" + s.Addr + "?server_name=redis.internal"
	once(t, connect(t, base+"&ca_file="+ca.cert+"&cert_file="+client.cert+"&key_file="+client.key), "tls")

	for what, query := range map[string]string{
		"no authority":             "&cert_file=" + client.cert + "&key_file=" + client.key,
		"no certificate":           "&ca_file=" + ca.cert,
		"a stranger's certificate": "&ca_file=" + ca.cert + "&cert_file=" + stranger.cert + "&key_file=" + stranger.key,
	} {
		if err := connect(t, base+query+"&max_retries=-1").Ping(t.Context()).Err(); err == nil {
			t.Errorf("%s, and the server was reached", what)
		}
	}

	// It works, and is a finding.
	trusting := connect(t, base+"&skip_verify=true&cert_file="+client.cert+"&key_file="+client.key)
	if err := trusting.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	_, err := lock.New(trusting, lock.Config{Strict: true})
	if e, ok := errors.AsType[*lock.SettingError](err); !ok || e.Setting != "InsecureSkipVerify" || !strings.Contains(e.Cure, "ca_file") {
		t.Errorf("got %v, want InsecureSkipVerify", err)
	}
}

// Sentinels with a password of their own name the primary, also after a failover.
func TestURLOfSentinels(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	auth := []string{"--requirepass", "data", "--masterauth", "data"}
	primary := Start(t, auth...)
	login(t, primary, "data")
	host, port, _ := net.SplitHostPort(primary.Addr)
	replica := Start(t, append(auth, "--replicaof", host+" "+port)...)
	login(t, replica, "data")
	var sentinels []string
	for range 3 {
		s := Sentinel(t, fmt.Sprintf("sentinel monitor main %[1]s %[2]s 2\nsentinel auth-pass main data\n"+
			"sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 10000\n"+
			"sentinel sentinel-user watcher\nsentinel sentinel-pass %[3]s\nuser watcher on >%[3]s ~* &* +@all\nuser default off", host, port, "sent%nel"))
		sentinels = append(sentinels, s.Addr)
	}
	base := "redis+sentinel://:data@" + strings.Join(sentinels, ",") + "/main/0?sentinel_username=watcher&sentinel_password="
	if err := connect(t, base+"wrong&max_retries=-1&dialer_retries=1").Ping(ctx).Err(); err == nil {
		t.Error("sentinels were asked with a wrong password, and answered")
	}
	client := connect(t, base+url.PathEscape("sent%nel"))
	once(t, client, "before")

	// A Sentinel's own port is no Redis.
	direct := connect(t, "redis://watcher:sent%25nel@"+sentinels[0])
	locker, err := lock.New(direct, lock.Config{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	e, ok := errors.AsType[*lock.SettingError](locker.Check(ctx, "reprise:"))
	if !ok || e.Setting != "redis_mode" || e.Got != "sentinel" || !strings.Contains(e.Cure, "redis+sentinel://") {
		t.Errorf("got %v, want redis_mode", e)
	}

	err = cluster.Eventually(ctx, "the replica follows, and sentinels know", func(ctx context.Context) error {
		info, err := replica.Admin.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New(info)
		}
		if err != nil {
			return err
		}
		for _, addr := range sentinels {
			c := redis.NewSentinelClient(&redis.Options{Addr: addr, Username: "watcher", Password: "sent%nel"})
			defer c.Close()
			found, err := c.Master(ctx, "main").Result()
			if err != nil || found["num-slaves"] != "1" || found["num-other-sentinels"] != "2" {
				return fmt.Errorf("%v, %w", found, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	primary.Kill()
	err = cluster.Eventually(ctx, "the replica is found", func(ctx context.Context) error { return client.Set(ctx, "probe", 1, time.Minute).Err() })
	if err != nil {
		t.Fatal(err)
	}
	once(t, client, "after")

	// A scan sees the requests of before and after, at a node that has a name.
	engine := engineOver(t, client)
	var seen []string
	for e, err := range engine.Scan(ctx, replay.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, string(e.State)+" at "+e.Node)
	}
	nodes, err := engine.Nodes(ctx)
	if err != nil || len(nodes) != 1 || nodes[0].Err != nil || nodes[0].Role != "master" {
		t.Errorf("%v: got %+v", err, nodes)
	}
	const there = "done at the primary that sentinels name"
	if !slices.Equal(seen, []string{there, there}) {
		t.Errorf("got %q", seen)
	}
}

// login gives the server's own client the password.
func login(t *testing.T, s *Server, password string) {
	t.Helper()
	o := *s.Admin.Options()
	o.Password = password
	_ = s.Admin.Close()
	s.Admin = redis.NewClient(&o)
}

// An authority issues certificates.
type authority struct {
	pair
	parent *x509.Certificate
	signer *ecdsa.PrivateKey
	dir    string
	serial int64
}

// A pair is the paths of a certificate and its key.
type pair struct{ cert, key string }

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.parent = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.pair = a.issue(t, "authority")
	return a
}

// issue makes a certificate with that name, by itself if it is the first.
func (a *authority) issue(t *testing.T, name string) pair {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := a.parent
	if a.signer == nil {
		a.signer = key
	} else {
		template = &x509.Certificate{SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	}
	a.serial++
	der, err := x509.CreateCertificate(rand.Reader, template, a.parent, &key.PublicKey, a.signer)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	p := pair{filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")}
	must(os.WriteFile(p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return p
}
