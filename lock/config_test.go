package lock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

func TestConfigWithDefaults(t *testing.T) {
	for _, tc := range []struct {
		name      string
		cfg, want lock.Config
	}{
		{"zero", lock.Config{}, lock.Config{TTL: 15 * time.Second, Renew: 5 * time.Second, MaxHold: 10 * time.Minute,
			Remember: 24 * time.Hour, Timeout: 2 * time.Second, AckWithin: 500 * time.Millisecond, Pipeline: lock.PipelineAuto, MaxWaiters: 10_000, MaxWaitersPerScope: 1000, MaxValue: 16 << 20}},
		{"short lease", lock.Config{TTL: 300 * time.Millisecond}, lock.Config{TTL: 300 * time.Millisecond,
			Renew: 100 * time.Millisecond, MaxHold: 10 * time.Minute, Remember: 24 * time.Hour, Timeout: 100 * time.Millisecond, AckWithin: 50 * time.Millisecond, Pipeline: lock.PipelineAuto, MaxWaiters: 10_000, MaxWaitersPerScope: 1000, MaxValue: 16 << 20}},
		{"long lease", lock.Config{TTL: 48 * time.Hour}, lock.Config{TTL: 48 * time.Hour, Renew: 16 * time.Hour,
			MaxHold: 48 * time.Hour, Remember: 48 * time.Hour, Timeout: 2 * time.Second, AckWithin: 500 * time.Millisecond, Pipeline: lock.PipelineAuto, MaxWaiters: 10_000, MaxWaitersPerScope: 1000, MaxValue: 16 << 20}},
		{"all set", lock.Config{TTL: 7, Renew: 6, MaxHold: 5, Remember: 4, Timeout: 3, Acks: 2, AckWithin: 1, Pipeline: lock.PipelineOff, MaxWaiters: 8, MaxWaitersPerScope: 2, MaxValue: 9},
			lock.Config{TTL: 7, Renew: 6, MaxHold: 5, Remember: 4, Timeout: 3, Acks: 2, AckWithin: 1, Pipeline: lock.PipelineOff, MaxWaiters: 8, MaxWaitersPerScope: 2, MaxValue: 9}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.cfg.WithDefaults()
			if got.Logger == nil {
				t.Error("no logger")
			}
			got.Logger = nil
			if got != tc.want {
				t.Errorf("got %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		name   string
		cfg    lock.Config
		faults []string
	}{
		{name: "zero"},
		{name: "shortest", cfg: lock.Config{TTL: 100 * time.Millisecond}},
		{name: "longest", cfg: lock.Config{TTL: 87600 * time.Hour, MaxHold: 1<<63 - 1}},
		{name: "at the limits", cfg: lock.Config{TTL: 10 * s, Renew: 5*s - 1, MaxHold: 10 * s, Remember: 10 * s, Timeout: 5 * s, Acks: 100, AckWithin: 5 * s / 2}},
		{name: "too short", cfg: lock.Config{TTL: 99 * time.Millisecond}, faults: []string{`TTL: got "99ms", want 100ms to 87600h`}},
		{name: "too long", cfg: lock.Config{TTL: 87601 * time.Hour}, faults: []string{`TTL: got "87601h0m0s", want 100ms to 87600h`}},
		{name: "negative", cfg: lock.Config{TTL: -s}, faults: []string{`TTL: got "-1s", want 100ms to 87600h`}},
		{
			name: "everything at once",
			cfg:  lock.Config{TTL: 10 * s, Renew: 5 * s, MaxHold: 9 * s, Remember: 8 * s, Timeout: 6 * s, Acks: 101, AckWithin: 4 * s},
			faults: []string{
				`Acks: got "101", want 0 to 100`,
				`Renew: got "5s", want more than 0 and less than half of TTL (see TTL)`,
				`MaxHold: got "9s", want at least TTL (see TTL)`,
				`Remember: got "8s", want TTL to 87600h (see TTL)`,
				`Timeout: got "6s", want more than 0 and at most half of TTL (see TTL)`,
				`AckWithin: got "4s", want 1ms to half of Timeout (see Timeout)`,
			},
		},
		{
			name: "negative and beyond",
			cfg:  lock.Config{Renew: -1, MaxHold: -1, Remember: 87601 * time.Hour, Timeout: -1, Acks: -1, AckWithin: 1, MaxWaiters: -1, MaxWaitersPerScope: -1, MaxValue: 1023},
			faults: []string{
				`Acks: got "-1", want 0 to 100`,
				`MaxWaiters: got "-1", want at least 1`,
				`MaxValue: got "1023", want a size from 1KiB to 512MiB`,
				`Renew: got "-1ns", want more than 0 and less than half of TTL (see TTL)`,
				`MaxHold: got "-1ns", want at least TTL (see TTL)`,
				`Remember: got "87601h0m0s", want TTL to 87600h (see TTL)`,
				`Timeout: got "-1ns", want more than 0 and at most half of TTL (see TTL)`,
				`AckWithin: got "1ns", want 1ms to half of Timeout (see Timeout)`,
				`MaxWaitersPerScope: got "-1", want 1 to MaxWaiters (see MaxWaiters)`,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkFaults(t, tc.cfg.Validate(), tc.faults)
			if _, err := lock.New(redis.NewClient(&redis.Options{}), tc.cfg); (err != nil) != (tc.faults != nil) {
				t.Errorf("New: %v", err)
			}
		})
	}
}

func TestFromEnv(t *testing.T) {
	for _, tc := range []struct {
		name    string
		environ []string
		want    lock.Config
		faults  []string
	}{
		{name: "nothing set"},
		{
			name: "everything set",
			environ: []string{"X_LOCK_TTL=20s", "X_LOCK_RENEW=6s", "X_LOCK_MAX_HOLD=1h", "X_LOCK_REMEMBER=48h", "X_LOCK_TIMEOUT=500ms",
				"X_LOCK_ACKS=1", "X_LOCK_ACK_WITHIN=100ms", "X_LOCK_MAX_WAITERS=5", "X_LOCK_MAX_WAITERS_PER_SCOPE=4", "X_LOCK_MAX_VALUE=1MiB",
				"LOCK_TTL=1s", "Y_LOCK_TTL=junk"},
			want: lock.Config{TTL: 20 * time.Second, Renew: 6 * time.Second, MaxHold: time.Hour, Remember: 48 * time.Hour,
				Timeout: 500 * time.Millisecond, Acks: 1, AckWithin: 100 * time.Millisecond, MaxWaiters: 5, MaxWaitersPerScope: 4, MaxValue: 1 << 20},
		},
		{
			name:    "faults of syntax and of rules, at once",
			environ: []string{"X_LOCK_TTL=20s", "X_LOCK_RENEW=10s", "X_LOCK_MAX_HOLD=19s", "X_LOCK_REMEMBER=1d", "X_LOCK_TIMEOUT=0"},
			faults: []string{
				`X_LOCK_REMEMBER: got "1d", want a duration above 0, such as 250ms, 15s or 1h30m`,
				`X_LOCK_TIMEOUT: got "0", want a duration above 0, such as 250ms, 15s or 1h30m`,
				`X_LOCK_RENEW: got "10s", want more than 0 and less than half of TTL (see X_LOCK_TTL)`,
				`X_LOCK_MAX_HOLD: got "19s", want at least TTL (see X_LOCK_TTL)`,
			},
		},
		{
			name:    "a lease can't be off",
			environ: []string{"X_LOCK_TTL=off"},
			faults:  []string{`X_LOCK_TTL: got "off", want 100ms to 87600h`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := lock.FromEnv("X_", tc.environ)
			checkFaults(t, err, tc.faults)
			if tc.faults == nil && got != tc.want {
				t.Errorf("got %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// checkFaults compares an error with the lines it should have, each a *ConfigError.
func checkFaults(t *testing.T, err error, want []string) {
	t.Helper()
	var got string
	if err != nil {
		got = err.Error()
	}
	if w := strings.Join(want, "\n"); got != w {
		t.Errorf("faults:\n%s\nwant:\n%s", got, w)
	}
	joined, _ := err.(interface{ Unwrap() []error })
	if joined == nil {
		return
	}
	for _, fault := range joined.Unwrap() {
		if e, ok := errors.AsType[*lock.ConfigError](fault); !ok || e.Name == "" || e.Value == "" || e.Want == "" {
			t.Errorf("%#v doesn't name the setting, its value and what is accepted", fault)
		}
	}
}
