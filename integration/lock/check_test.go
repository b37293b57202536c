package lock_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// tellsInfo makes Redis tell of itself what miniredis leaves out, and take ASKING.
func tellsInfo(f *bubble.Fleet, mode string) {
	f.Before(func(p *server.Peer, cmd string, args ...string) bool {
		switch cmd {
		case "INFO":
			p.WriteBulk("redis_version:7.0.15\r\nredis_mode:" + mode + "\r\nrole:master\r\nconnected_slaves:1\r\nmaxmemory_policy:noeviction\r\n")
		case "ASKING":
			p.WriteOK()
		default:
			return false
		}
		return true
	})
}

// forbids makes Redis refuse a command, as an ACL does.
func forbids(f *bubble.Fleet, name string) {
	f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
		if strings.EqualFold(cmd, name) {
			p.WriteError("NOPERM this user has no permissions to run the '" + strings.ToLower(name) + "' command")
			return true
		}
		return false
	})
}

// amiss are the settings that Check finds amiss.
func amiss(t *testing.T, err error) (names []string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if err != nil && !ok {
		t.Fatalf("got %v", err)
	}
	if ok {
		for _, err := range joined.Unwrap() {
			e, ok := errors.AsType[*lock.SettingError](err)
			if !ok || e.Cure == "" || e.Where == "" || e.Got == "" || e.Want == "" {
				t.Errorf("got %v, want a *SettingError with all it has", err)
				continue
			}
			names = append(names, e.Setting)
		}
	}
	return names
}

// Check sends what requests send, loads every script, and leaves nothing behind.
func TestCheckDoesWhatRequestsDo(t *testing.T) {
	for name, acks := range map[string]int{"default": 0, "acked": 1} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Channels()
				tellsInfo(f, "standalone")
				f.Replicas(int32(acks))
				a := f.Machine()
				if err := a.Client.ScriptFlush(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				a.Trips()
				if err := a.Locker(lock.Config{Strict: true, Acks: acks}).Check(t.Context(), "app:"); err != nil {
					t.Error(err)
				}
				want := []string{"INFO", "SET+GET+STRLEN+EXISTS+PTTL+PEXPIRE+TIME+DEL+SPUBLISH", "SSUBSCRIBE",
					"load begin", "begin", "begin", "load renew", "load abandon", "begin", "load release", "load commit", "begin",
					"GET", "SUNSUBSCRIBE", "DEL"}
				if acks > 0 {
					want[1] += "+WAIT"
					for i, trip := range want {
						if trip == "begin" {
							want[i] += "+WAIT"
						}
					}
				}
				if trips := a.Trips(); !slices.Equal(trips, want) {
					t.Errorf("round trips %q, want %q", trips, want)
				}
				if keys := f.Redis.Keys(); len(keys) > 0 {
					t.Errorf("it leaves %q behind", keys)
				}

				// So a first request need not load what it runs.
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				if err := lease.Release(t.Context()); err != nil {
					t.Fatal(err)
				}
				a.WantTrips("begin", "release")
			})
		})
	}
}

func TestCheckNamesWhatIsForbidden(t *testing.T) {
	for _, name := range []string{"set", "get", "strlen", "exists", "pttl", "pexpire", "time", "del", "spublish", "ssubscribe", "sunsubscribe",
		"eval", "evalsha", "info", "wait", "asking"} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Channels()
				tellsInfo(f, "cluster")
				f.Replicas(1)
				a := f.ClusterMachine(func(o *redis.ClusterOptions) { o.DisableRoutingPolicies = true })
				forbids(f, name)
				err := a.Locker(lock.Config{Strict: true, Acks: 1}).Check(t.Context(), "app:")
				if found := amiss(t, err); !slices.Equal(found, []string{strings.ToUpper(name)}) {
					t.Errorf("found %q: %v", found, err)
				}
				if !strings.Contains(err.Error(), "ACL SETUSER <user> +"+name) {
					t.Errorf("no cure: %v", err)
				}
				time.Sleep(time.Minute)
				if keys := f.Redis.Keys(); len(keys) > 0 {
					t.Errorf("after a minute there is still %q", keys)
				}
			})
		})
	}
}

// Waiters would sleep on a channel on which nothing comes.
func TestCheckHearsWhatIsPublished(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		tellsInfo(f, "standalone")
		f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
			if cmd == "SPUBLISH" {
				p.WriteInt(0)
			}
			return cmd == "SPUBLISH"
		})
		start := time.Now()
		err := f.Machine().Locker(lock.Config{Strict: true}).Check(t.Context(), "app:")
		if found := amiss(t, err); !slices.Equal(found, []string{"SPUBLISH"}) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v, more than Timeout", took)
		}
	})
}

// A server that hangs keeps nobody longer than Timeout, whatever the client is like.
func TestCheckIsBounded(t *testing.T) {
	for name, obedient := range map[string]bool{"honours contexts": true, "outwaits them": false} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []string{"INFO", "DEL", "EVAL", "SSUBSCRIBE"} {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					f.Channels()
					tellsInfo(f, "standalone")
					a := f.Machine(func(o *redis.Options) { o.ContextTimeoutEnabled = obedient })
					f.Before(func(_ *server.Peer, cmd string, _ ...string) bool {
						if cmd == after {
							f.Freeze()
						}
						return false
					})
					start := time.Now()
					var logged strings.Builder
					err := a.Locker(lock.Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))}).Check(t.Context(), "app:")
					if took := time.Since(start); err != nil || took > 2*time.Second {
						t.Errorf("after %s: %v, and it took %v", after, err, took)
					}
					if !strings.Contains(logged.String(), context.DeadlineExceeded.Error()) {
						t.Errorf("after %s it says %q", after, &logged)
					}
					f.Thaw()
				})
			}
		})
	}
}

// That nobody answers is returned even where findings go nowhere; a refusal is an answer.
func TestCheckWithoutAnswer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		plain, clustered := f.Machine(), f.ClusterMachine(func(o *redis.ClusterOptions) { o.DisableRoutingPolicies = true })
		f.Before(func(p *server.Peer, _ string, _ ...string) bool {
			p.WriteError("NOPERM this user has no permissions to run the 'info' command")
			return true
		})
		if err := plain.Locker(lock.Config{}).Check(t.Context(), "app:"); err != nil {
			t.Errorf("of a refusal: %v", err)
		}
		f.Down()
		for _, m := range []*bubble.Machine{plain, clustered} {
			err := m.Locker(lock.Config{}).Check(t.Context(), "app:")
			if _, found := errors.AsType[*lock.SettingError](err); !found || !errors.Is(err, lock.ErrUnavailable) {
				t.Errorf("without Redis: %v, want ErrUnavailable and the finding", err)
			}
		}
	})
}

// A key whose slot is on its way to another node says nothing of this one: another is taken.
func TestCheckTakesAKeyThatStays(t *testing.T) {
	for _, redirect := range []string{"ASK 1 redis:6379", "MOVED 1 redis:6379", "TRYAGAIN Multiple keys request during rehashing of slot"} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			f.Channels()
			tellsInfo(f, "cluster")
			var keys []string
			f.Before(func(p *server.Peer, cmd string, args ...string) bool {
				if cmd == "EVAL" {
					keys = append(keys, args[2])
				}
				if cmd == "SET" && strings.HasSuffix(args[0], "-0") {
					p.WriteError(redirect)
					return true
				}
				return false
			})
			a := f.ClusterMachine(func(o *redis.ClusterOptions) { o.DisableRoutingPolicies = true })
			if err := a.Locker(lock.Config{Strict: true}).Check(t.Context(), "app:"); err != nil {
				t.Error(err)
			}
			if keys = slices.Compact(keys); len(keys) != 1 || !strings.HasSuffix(keys[0], "-1") {
				t.Errorf("it tried %q", keys)
			}
		})
	}
}

func TestCheckOfNoCluster(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		tellsInfo(f, "standalone")
		f.Before(func(p *server.Peer, cmd string, _ ...string) bool {
			if cmd == "CLUSTER" {
				p.WriteError("ERR This instance has cluster support disabled")
			}
			return cmd == "CLUSTER"
		})
		a := f.ClusterMachine(func(o *redis.ClusterOptions) { o.DisableRoutingPolicies = true })
		err := a.Locker(lock.Config{Strict: true}).Check(t.Context(), "app:")
		if found := amiss(t, err); !slices.Equal(found, []string{"CLUSTER SLOTS"}) || !strings.Contains(err.Error(), "?cluster=true") {
			t.Errorf("got %v", err)
		}
	})
}

// Findings are what Check finds, as they are, and nothing of them is logged.
func TestFindings(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		tellsInfo(f, "standalone")
		forbids(f, "pexpire")
		var logged strings.Builder
		l := f.Machine().Locker(lock.Config{})
		quiet, err := lock.New(f.Machine(func(o *redis.Options) { o.ContextTimeoutEnabled = false }).Client,
			lock.Config{Pipeline: lock.PipelineOff, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		logged.Reset() // New has warned of its client
		for name, tt := range map[string]struct {
			locker *lock.Locker
			want   []string
		}{
			"a fit client":   {l, []string{"PEXPIRE"}},
			"another client": {quiet, []string{"ContextTimeoutEnabled", "PEXPIRE"}},
		} {
			found, err := tt.locker.Findings(t.Context(), "app:")
			var names []string
			for _, f := range found {
				names = append(names, f.Setting)
			}
			if err != nil || !slices.Equal(names, tt.want) || logged.Len() > 0 {
				t.Errorf("%s: got %q, %v, want %q; logged: %s", name, names, err, tt.want, &logged)
			}
		}
	})
}
