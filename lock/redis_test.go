package lock

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Tests against a real Redis, where this machine has one: for what a fake might do in another way.

// startRedis starts a redis-server of the test's own, and skips the test if there is none.
func startRedis(t testing.TB) (addr string, admin *redis.Client) {
	t.Helper()
	addr, _ = startRedisProcess(t)
	admin = redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { admin.Close() })
	return addr, admin
}

// startRedisProcess is startRedis for a test that stops the process. The address is that of a socket, which
// nobody else can have taken meanwhile, as a port of loopback could be.
func startRedisProcess(t testing.TB) (addr string, process *os.Process) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("NOT RUN: no redis-server is installed")
	}
	dir, err := os.MkdirTemp("", "redis") // t.TempDir can be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr = filepath.Join(dir, "socket")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", addr, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	admin := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer admin.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for admin.Ping(ctx).Err() != nil {
		if !pause(ctx, 10*time.Millisecond) {
			t.Fatal("redis-server doesn't answer")
		}
	}
	return addr, cmd.Process
}

// A user who may subscribe and not publish is one whose waiters ask; one who may do both has
// waiters who are told.
func TestWaitersUnderAnACL(t *testing.T) {
	addr, admin := startRedis(t)
	info, err := admin.Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(info, "redis_version:6.") {
		t.Skip("NOT RUN: Redis 6 has no sharded channels")
	}
	const rights = "~* &* -@all +evalsha +eval +get +set +strlen +exists +del +pttl +pexpire +time +ssubscribe +sunsubscribe"
	for _, tc := range []struct {
		name, more string
		told       bool
	}{
		{"subscribes only", "", false},
		{"publishes, too", "+spublish", true},
		{"other channels", "resetchannels &other:*", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := []any{"ACL", "SETUSER", "app", "reset", "on", ">secret"}
			for _, right := range strings.Fields(rights + " " + tc.more) {
				args = append(args, right)
			}
			if err := admin.Do(t.Context(), args...).Err(); err != nil {
				t.Fatal(err)
			}
			client := redis.NewClient(&redis.Options{Addr: addr, Username: "app", Password: "secret", ContextTimeoutEnabled: true, DisableIdentity: true})
			defer client.Close()
			l, err := New(client, Config{})
			if err != nil {
				t.Fatal(err)
			}
			lease, err := l.TryAcquire(t.Context(), tc.name, Terms{})
			if err != nil {
				t.Fatal(err)
			}
			m, _ := l.waiters.join(tc.name, Terms{}, l.cfg)
			defer m.leave()
			s := m.notice(l.store.subscribe)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			// Until it is known whether the channel can be relied on.
			for !s.active() && !s.closed() && pause(ctx, time.Millisecond) {
			}
			if s.active() != tc.told || s.closed() == tc.told {
				t.Fatalf("active %v, closed %v, want a channel: %v", s.active(), s.closed(), tc.told)
			}
			if !tc.told {
				return
			}
			select { // the notice of the confirmation
			case <-s.c:
			default:
			}
			if err := lease.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			select {
			case <-s.c:
			case <-ctx.Done():
				t.Error("not told of the release")
			}
		})
	}
}

// Lua decides who gets a key, and Go whose claim it is: both must know the same text for a claim.
func FuzzLuaAndGoKnowTheSameClaims(f *testing.F) {
	_, admin := startRedis(f)
	script := redis.NewScript(claimSource + `
local remember, attempt, fence, fingerprint = parse(ARGV[1])
if not remember then return {} end
return {attempt, fence, remember, fingerprint}`)
	for _, s := range []string{
		plain, "L1 2 1700000000000001 100 v1:c0ffee " + owner, "", "L", "L1 ", "L1 1 1 1 - 0", "L1 01 +1 1 - a",
		"L1 01 1 1 - " + owner, "L1 1 01 01 - " + owner, "L1 0 1 1 - " + owner, "L1 1 0 0 ~ " + owner,
		"L1 999999999 1 1 - " + owner, "L1 1000000000 1 1 - " + owner, "L1 2147483647 1 1 - " + owner,
		"L1 1 9999999999999999 1 - " + owner, "L1 1 10000000000000000 1 - " + owner, "L1 1 9007199254740993 1 - " + owner,
		"L1 1 1 315360000000 - " + owner, "L1 1 1 315360000001 - " + owner, "L1 1 1 999999999999 - " + owner,
		"L1 1 1 1 " + strings.Repeat("f", 128) + " " + owner, "L1 1 1 1 " + strings.Repeat("f", 129) + " " + owner,
		"L1 1 1 1 - " + owner + "a", "L1 1 1 1 - " + owner[1:], "L1 1 1 1 - " + strings.ToUpper(owner), plain + "\n", plain + " ",
		"R1 record", "L1 1 1 1 - \xff", "L1 1 1 1 \x7f " + owner, "L1 1 1 1 a\x00b " + owner, strings.Repeat("L1 ", 30),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lua, err := script.Run(t.Context(), admin, nil, s).StringSlice()
		if err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		claim, isClaim := parseClaim(s)
		if isClaim != (len(lua) == 4) {
			t.Fatalf("%q: Go takes it for a claim: %v, Lua: %v", s, isClaim, len(lua) == 4)
		}
		if !isClaim {
			return
		}
		fingerprint := claim.Fingerprint
		if fingerprint == "" {
			fingerprint = noFingerprint
		}
		number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
		if int64(claim.Attempt) != number(lua[0]) || claim.Fence != number(lua[1]) || claim.Remember.Milliseconds() != number(lua[2]) || fingerprint != lua[3] {
			t.Errorf("%q: Go reads %+v, Lua %q", s, claim, lua)
		}
	})
}
