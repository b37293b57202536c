package replay_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// What an operator reads: one line for each kind of trouble and minute, with its cause, and with nothing of
// a request in it.

// quoted is what a text of Redis's quotes.
const quoted = "a-user-or-a-key"

// wants checks that lines with a text and a cause have been logged so many times.
func (l logbook) wants(t *testing.T, text, cause string, n int) {
	t.Helper()
	if strings.ContainsRune(cause, ' ') {
		cause = `"` + cause + `"`
	}
	if strings.Contains(l.String(), quoted) {
		t.Errorf("a text of Redis's is logged: %s", l)
	}
	got := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) && strings.Contains(line+" ", " cause="+cause) {
			got++
		}
	}
	if got != n {
		t.Errorf("%d lines %q with cause %s, want %d:\n%s", got, text, cause, n, l)
	}
}

func TestEachKindOfRefusalIsLoggedOnceAMinute(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d, open := newDesk(t, f), newDesk(t, f, unguarded)
		ask := func() {
			for range 30 {
				d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
				open.ask(bg, request(), says("done"))
			}
		}
		const refused = "requests are refused"
		for text, cause := range map[string]string{
			"WRONGPASS invalid username-password pair or user is disabled.":                   "WRONGPASS",
			"NOPERM User " + quoted + " has no permissions to run the 'evalsha' command":      "NOPERM EVALSHA",
			"ERR unknown command 'evalsha', with args beginning with: '1' 'reprise:" + quoted: "unknown command EVALSHA",
			"ERR Unknown Redis command called from script script: 3a2, on @user_script:63.":   "unknown command in a script",
			"MOVED 1 " + quoted + ":6379":       "MOVED",
			"ERR max number of clients reached": "max number of clients reached",
		} {
			f.Refuse(text)
			ask()
			d.log.wants(t, refused, cause, 1)
			open.log.wants(t, refused, cause, 1)
		}
		f.Refuse(bubble.OOM)
		ask()
		d.log.wants(t, refused, "OOM", 1)
		open.log.wants(t, "without a claim", "OOM", 1)
		f.Refuse("")
		time.Sleep(time.Minute)
		f.Down()
		time.Sleep(time.Minute) // connections are refused at once from here on
		for range 10 {
			d.ask(bg, request(), says("no"))
			open.ask(bg, request(), says("done"))
		}
		d.log.wants(t, refused, "connection refused", 1)
		open.log.wants(t, "without a claim", "connection refused", 1)
		time.Sleep(time.Minute)
		d.ask(bg, request(), says("no"))
		if !strings.Contains(d.log.String(), `cause="connection refused" more=`) {
			t.Errorf("the lines left out are not counted:\n%s", d.log)
		}
	})
}

func TestLostLeasesAreLogged(t *testing.T) {
	for name, tc := range map[string]struct {
		strike    func(*bubble.Fleet, *desk)
		suspended string // the cause, if renewal fails first
		lost      string
	}{
		"Redis is down":      {func(f *bubble.Fleet, d *desk) { d.Down() }, "connection broken", "not renewed in time"},
		"Redis hangs":        {func(f *bubble.Fleet, d *desk) { d.Freeze() }, "no answer in time", "not renewed in time"},
		"Redis is read-only": {func(f *bubble.Fleet, _ *desk) { f.Refuse(bubble.ReadOnly) }, "READONLY", "not renewed in time"},
		"Redis has forgotten": {func(f *bubble.Fleet, _ *desk) { f.Redis.FlushAll() }, "",
			"the key is free or another's"},
		"held too long": {func(*bubble.Fleet, *desk) {}, "", "held for MaxHold"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f)
				var waits []func() reply
				for i := range 5 {
					req := request()
					req.Key += string(rune('a' + i))
					waits = append(waits, d.start(bg, req, func(ctx context.Context) (replay.Answer, error) {
						time.Sleep(time.Second)
						<-ctx.Done()
						time.Sleep(3 * time.Second)
						return replay.Answer{}, context.Cause(ctx)
					}))
				}
				time.Sleep(time.Second)
				tc.strike(f, d)
				for _, wait := range waits {
					r := wait()
					if name != "held too long" {
						r.is(t, lock.ErrLost)
					}
				}
				d.log.wants(t, "a lease is lost", tc.lost, 1)
				if tc.suspended != "" && !strings.Contains(d.log.String(), "can't be renewed") {
					t.Errorf("logged %s", d.log)
				}
				for _, key := range f.Redis.Keys() {
					if strings.Contains(d.log.String(), key) {
						t.Errorf("a key is logged: %s", d.log)
					}
				}
				f.Refuse("")
			})
		})
	}
}

func TestNothingIsLoggedOfADayThatGoesWell(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
			time.Sleep(4 * leaseTime)
			return replay.Answer{Value: "done"}, nil
		}).wasRun(t, "done", 1)
		d.ask(bg, request(), says("no")).wasReplayed(t, "done")
		d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
		d.On("begin", bubble.LoseReply)
		other := request()
		other.Key += "2"
		d.ask(bg, other, fails(errDown)).is(t, errDown)
		if text := d.log.String(); text != "" {
			t.Errorf("logged %s", text)
		}
	})
}
