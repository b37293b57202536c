package replay

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/config/configtest"
	"github.com/reprise-go/reprise/lock"
)

func TestDefaults(t *testing.T) {
	got := Config{}.WithDefaults()
	if got.Logger == nil || got.Lock.Logger != got.Logger {
		t.Error("no logger, or another for the lock")
	}
	got.Logger, got.Lock.Logger = nil, nil
	want := Config{
		Lock: lock.Config{
			TTL: 15 * time.Second, Renew: 5 * time.Second, MaxHold: 10 * time.Minute, Remember: 24 * time.Hour, Timeout: 2 * time.Second,
			AckWithin: 500 * time.Millisecond, Pipeline: lock.PipelineAuto, MaxWaiters: 10_000, MaxWaitersPerScope: 1000, MaxValue: 16<<20 + 429,
		},
		Cache:        cache.Config{}.WithDefaults(),
		Prefix:       "reprise",
		Retention:    24 * time.Hour,
		OnAbandoned:  RunAgain,
		OnFailure:    AbandonFailed,
		OnHangup:     RunOn,
		OnStoreDown:  Refuse,
		OnCommitDown: AnswerUnstored,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaultsLeaveWhatIsSet(t *testing.T) {
	logger, lockLogger := slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler)
	set := Config{
		Lock:   lock.Config{TTL: time.Second, Renew: 100 * time.Millisecond, MaxHold: time.Minute, Remember: time.Hour, Timeout: 200 * time.Millisecond, Acks: 1, AckWithin: time.Millisecond, Pipeline: lock.PipelineOff, MaxWaiters: 10, MaxWaitersPerScope: 3, MaxValue: 4096, Logger: lockLogger},
		Cache:  cache.Config{CompressAbove: cache.Never, MaxDecoded: 2048},
		Prefix: "billing", Retention: 2 * time.Hour, Wait: time.Second,
		OnAbandoned: AskReconcile, OnFailure: ReleaseFailed, OnHangup: StopWithCaller, OnStoreDown: RunUnguarded, OnCommitDown: WithholdUnstored,
		Shadow: true, Trace: &Trace{}, Logger: logger,
	}
	if got := set.WithDefaults(); !reflect.DeepEqual(got, set) {
		t.Errorf("got  %+v\nwant %+v", got, set)
	}
}

func TestRememberFollowsRetention(t *testing.T) {
	if got := (Config{Retention: time.Hour}).WithDefaults().Lock.Remember; got != time.Hour {
		t.Errorf("a claim is remembered for %v, and a record for 1h", got)
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"a prefix that is a hash tag", Config{Prefix: "{a}"}, []string{`Prefix: got "{a}", want 1 to 64 bytes of printable ASCII without spaces and braces`}},
		{"a prefix with half a hash tag", Config{Prefix: "a}"}, []string{"Prefix"}},
		{"a prefix with a space", Config{Prefix: "a b"}, []string{"Prefix"}},
		{"a prefix with a line break", Config{Prefix: "a\n"}, []string{"Prefix"}},
		{"a prefix not in ASCII", Config{Prefix: "é"}, []string{"Prefix"}},
		{"a prefix of invalid UTF-8", Config{Prefix: "\xff"}, []string{"Prefix"}},
		{"the longest prefix", Config{Prefix: strings.Repeat("p", 64)}, nil},
		{"a prefix too long", Config{Prefix: strings.Repeat("p", 65)}, []string{"Prefix"}},
		{"the least retention", Config{Retention: 15 * time.Second}, nil},
		{"a retention shorter than a lease", Config{Retention: 15*time.Second - 1}, []string{`Retention: got "14.999999999s", want Lock.TTL to 87600h (see Lock.TTL)`}},
		{"a retention shorter than the lease that is set", Config{Retention: time.Minute, Lock: lock.Config{TTL: time.Hour}}, []string{"Retention"}},
		{"a negative retention", Config{Retention: -1}, []string{"Retention"}},
		{"the longest retention", Config{Retention: 87600 * time.Hour}, nil},
		{"a retention too long", Config{Retention: 87601 * time.Hour}, []string{"Retention"}},
		{"the longest wait", Config{Wait: time.Hour}, nil},
		{"a wait too long", Config{Wait: time.Hour + 1}, []string{`Wait: got "1h0m0.000000001s", want 0 to 1h`}},
		{"a wait that is off", Config{Wait: NoWait}, nil},
		{"a negative wait", Config{Wait: -2}, []string{"Wait"}},
		{"policies that there are not", Config{OnAbandoned: "4", OnFailure: "run", OnHangup: "on", OnStoreDown: "Run", OnCommitDown: "answers"},
			[]string{`OnAbandoned: got "4", want one of run, refuse, reconcile`, "OnFailure", "OnHangup", "OnStoreDown", "OnCommitDown"}},
		{"a longest value that is no record's", Config{Lock: lock.Config{MaxValue: 16 << 20}},
			[]string{`Lock.MaxValue: got "16777216", want at least Cache.MaxDecoded plus 429 bytes (see Cache.MaxDecoded)`}},
		{"one that is, just so", Config{Lock: lock.Config{MaxValue: 1<<20 + 429}, Cache: cache.Config{MaxDecoded: 1 << 20}}, nil},
		{"the longest that Redis takes", Config{Lock: lock.Config{MaxValue: 512 << 20}, Cache: cache.Config{MaxDecoded: 512 << 20}}, nil},
		{"faults of the others' configurations", Config{Lock: lock.Config{TTL: time.Millisecond, Renew: -1}, Cache: cache.Config{MaxDecoded: 1}},
			[]string{"Lock.TTL", "Lock.Renew", "Cache.MaxDecoded"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantFaults(t, tc.cfg.Validate(), tc.want)
		})
	}
}

// wantFaults checks that err is made of these faults, each a *ConfigError that begins as given.
func wantFaults(t *testing.T, err error, want []string) {
	t.Helper()
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if len(got) != len(want) {
		t.Fatalf("got %d faults:\n%v\nwant %q", len(got), err, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) || !strings.Contains(got[i], "want ") {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
	if e, ok := errors.AsType[*ConfigError](err); err != nil && !ok {
		t.Errorf("got %T %v, want a *ConfigError", err, e)
	}
}

func TestFromEnv(t *testing.T) {
	got, err := FromEnv("X_", []string{
		"X_REPLAY_PREFIX=billing", "X_REPLAY_TTL=48h", "X_REPLAY_WAIT=10s", "X_REPLAY_ON_ABANDONED=reconcile", "X_REPLAY_ON_FAILURE=release",
		"X_REPLAY_ON_HANGUP=stop", "X_REPLAY_ON_STORE_DOWN=run", "X_REPLAY_ON_COMMIT_DOWN=refuse", "X_REPLAY_SHADOW=true",
		"X_LOCK_TTL=1m", "X_LOCK_RENEW=10s", "X_LOCK_MAX_HOLD=1h", "X_LOCK_REMEMBER=2h", "X_LOCK_TIMEOUT=3s",
		"X_CACHE_COMPRESS_ABOVE=off", "X_CACHE_MAX_DECODED=1MiB", "X_CACHE_SEAL_KEYS=MDEyMzQ1Njc4OWFiY2RlZg==", "X_CACHE_ACCEPT_UNSEALED=true",
		"REPLAY_PREFIX=not ours", "X_REPLAY_UNKNOWN=x", "PATH=/bin",
	})
	want := Config{
		Lock:        lock.Config{TTL: time.Minute, Renew: 10 * time.Second, MaxHold: time.Hour, Remember: 2 * time.Hour, Timeout: 3 * time.Second},
		Cache:       cache.Config{CompressAbove: cache.Never, MaxDecoded: 1 << 20, SealKeys: [][]byte{[]byte("0123456789abcdef")}, AcceptUnsealed: true},
		Prefix:      "billing",
		Retention:   48 * time.Hour,
		Wait:        10 * time.Second,
		OnAbandoned: AskReconcile, OnFailure: ReleaseFailed, OnHangup: StopWithCaller, OnStoreDown: RunUnguarded, OnCommitDown: WithholdUnstored,
		Shadow: true,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if got, err := FromEnv("X_", nil); err != nil || !reflect.DeepEqual(got, Config{}) {
		t.Errorf("nothing set: got %+v, %v", got, err)
	}
}

func TestFromEnvWords(t *testing.T) {
	for variable, words := range map[string]map[string]any{
		"REPLAY_ON_ABANDONED":   {"run": RunAgain, "refuse": RefuseUnknown, "reconcile": AskReconcile},
		"REPLAY_ON_FAILURE":     {"abandon": AbandonFailed, "release": ReleaseFailed},
		"REPLAY_ON_HANGUP":      {"run": RunOn, "stop": StopWithCaller},
		"REPLAY_ON_STORE_DOWN":  {"refuse": Refuse, "run": RunUnguarded},
		"REPLAY_ON_COMMIT_DOWN": {"answer": AnswerUnstored, "refuse": WithholdUnstored},
	} {
		for word, want := range words {
			c, err := FromEnv("", []string{variable + "=" + word})
			policies := map[string]any{
				"REPLAY_ON_ABANDONED": c.OnAbandoned, "REPLAY_ON_FAILURE": c.OnFailure, "REPLAY_ON_HANGUP": c.OnHangup,
				"REPLAY_ON_STORE_DOWN": c.OnStoreDown, "REPLAY_ON_COMMIT_DOWN": c.OnCommitDown,
			}
			if err != nil || policies[variable] != want {
				t.Errorf("%s=%s: got %v, %v, want %v", variable, word, policies[variable], err, want)
			}
		}
		for _, word := range []string{"RUN", "runs", "0", "1", " run", "run,stop"} {
			_, err := FromEnv("", []string{variable + "=" + word})
			if err == nil || !strings.HasPrefix(err.Error(), variable+": got ") {
				t.Errorf("%s=%q: got %v", variable, word, err)
				continue
			}
			for accepted := range words {
				if !strings.Contains(err.Error(), accepted) {
					t.Errorf("%v does not say that %s is accepted", err, accepted)
				}
			}
			if strings.Contains(err.Error(), "of ,") {
				t.Errorf("%v names an empty word", err)
			}
		}
	}
}

func TestFromEnvTellsAllFaults(t *testing.T) {
	_, err := FromEnv("X_", []string{
		"X_REPLAY_PREFIX={a}", "X_REPLAY_TTL=1s", "X_REPLAY_WAIT=2h", "X_REPLAY_ON_ABANDONED=maybe", "X_REPLAY_ON_FAILURE=0",
		"X_REPLAY_ON_HANGUP=1", "X_REPLAY_ON_STORE_DOWN=yes", "X_REPLAY_ON_COMMIT_DOWN=no", "X_REPLAY_SHADOW=perhaps",
		"X_LOCK_RENEW=1h", "X_CACHE_MAX_DECODED=12", "X_CACHE_SEAL_KEYS=hunter2",
	})
	var names []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	for _, name := range []string{
		"X_REPLAY_PREFIX", "X_REPLAY_TTL", "X_REPLAY_WAIT", "X_REPLAY_ON_ABANDONED", "X_REPLAY_ON_FAILURE", "X_REPLAY_ON_HANGUP",
		"X_REPLAY_ON_STORE_DOWN", "X_REPLAY_ON_COMMIT_DOWN", "X_REPLAY_SHADOW", "X_LOCK_RENEW", "X_CACHE_MAX_DECODED", "X_CACHE_SEAL_KEYS",
	} {
		if n := strings.Count(strings.Join(names, " ")+" ", name+" "); n != 1 {
			t.Errorf("%s is told of %d times", name, n)
		}
	}
	if len(names) != 12 {
		t.Errorf("got %d faults, of variables that are right or not there too:\n%v", len(names), err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is told: %v", err)
	}
}

// No environment makes FromEnv panic, each fault begins with its variable and says what is accepted,
// and what is accepted is valid.
func FuzzFromEnv(f *testing.F) {
	f.Add("48h", "billing", "run", "true")
	f.Add("off", "{", "", "-1")
	f.Add("1ns", strings.Repeat("x", 65), "refuse", "t")
	f.Fuzz(func(t *testing.T, duration, text, word, truth string) {
		c, err := FromEnv("X_", []string{
			"X_REPLAY_TTL=" + duration, "X_REPLAY_WAIT=" + duration, "X_LOCK_REMEMBER=" + duration, "X_REPLAY_PREFIX=" + text,
			"X_REPLAY_ON_ABANDONED=" + word, "X_REPLAY_ON_FAILURE=" + word, "X_REPLAY_ON_HANGUP=" + word,
			"X_REPLAY_ON_STORE_DOWN=" + word, "X_REPLAY_ON_COMMIT_DOWN=" + word, "X_REPLAY_SHADOW=" + truth,
		})
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Errorf("accepted, but: %v", err)
			}
			return
		}
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			e, ok := e.(*ConfigError)
			if !ok || !strings.HasPrefix(e.Name, "X_") || e.Want == "" {
				t.Errorf("got %#v", e)
			}
		}
	})
}

func TestPoliciesAcceptAllTheirWords(t *testing.T) {
	configtest.Words[AbandonedPolicy](t)
	configtest.Words[FailurePolicy](t)
	configtest.Words[HangupPolicy](t)
	configtest.Words[StoreDownPolicy](t)
	configtest.Words[CommitDownPolicy](t)
}
