package bubble

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// What a test is promised of the network. The commands are SETs without go-redis's retries, and the
// client's ReadTimeout is its default of 5 s.
func TestFaults(t *testing.T) {
	const dialed = time.Duration(0)
	for name, tc := range map[string]struct {
		fault  Fault
		err    error
		took   time.Duration
		exists time.Duration // from when on the command has taken effect; -1 is never
	}{
		"none":         {Fault{}, nil, dialed, 0},
		"lost command": {LoseCommand, io.EOF, dialed, -1},
		"lost reply":   {LoseReply, io.EOF, 1, 0},
		"late command": {Fault{DelayCommand: time.Second}, nil, time.Second, time.Second},
		"late reply":   {Fault{DelayReply: time.Second}, nil, time.Second, 0},
		"too late":     {Fault{DelayCommand: 8 * time.Second}, errTimeout, 5 * time.Second, 8 * time.Second},
		"unheard":      {Unheard, errTimeout, 5 * time.Second, -1},
		"unanswered":   {Unanswered, errTimeout, 5 * time.Second, 0},
		"late and lost": {Fault{DelayCommand: time.Second, DelayReply: time.Second, LoseReply: true}, io.EOF,
			2*time.Second + 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			Run(t, func(t *testing.T, f *Fleet) {
				m := f.Machine(func(o *redis.Options) { o.MaxRetries = -1 })
				m.On("SET", tc.fault)
				start := time.Now()
				err := m.Client.Set(t.Context(), "a", "b", 0).Err()
				timeout, _ := errors.AsType[net.Error](err)
				if tc.err == errTimeout && (timeout == nil || !timeout.Timeout()) || tc.err != errTimeout && !errors.Is(err, tc.err) {
					t.Errorf("got %v, want %v", err, tc.err)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
				if tc.exists > 0 {
					time.Sleep(time.Until(start.Add(tc.exists - 1)))
					if tc.exists > tc.took && f.Redis.Exists("a") {
						t.Error("it took effect too soon")
					}
					time.Sleep(2 * time.Nanosecond)
				}
				if f.Redis.Exists("a") != (tc.exists >= 0) {
					t.Errorf("it took effect: %v", f.Redis.Exists("a"))
				}
				m.WantTrips("SET")

				// The next trip is as good as any.
				if err := m.Client.Set(t.Context(), "a", "b", 0).Err(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

var errTimeout = errors.New("i/o timeout")

func TestFaultsStrikeAsOftenAsTheyShould(t *testing.T) {
	Run(t, func(t *testing.T, f *Fleet) {
		a, b := f.Machine(), f.Machine()
		a.OnNext(2, "SET", LoseReply)
		called := 0
		a.On("*", Meanwhile(func() { called++ }))
		for _, m := range []*Machine{b, a, a} {
			if err := m.Client.Set(t.Context(), "a", "b", 0).Err(); err != nil {
				t.Error(err)
			}
		}
		a.WantTrips("SET", "SET", "SET", "SET")
		b.WantTrips("SET")
		if called != 1 {
			t.Errorf("called %d times, want once", called)
		}
		a.On("SET", LoseCommand)
		a.Heal()
		_ = a.Client.Set(t.Context(), "a", "b", 0)
		a.WantTrips("SET")
	})
}

func TestPipelinesAreOneTrip(t *testing.T) {
	Run(t, func(t *testing.T, f *Fleet) {
		m := f.Machine()
		pipe := m.Client.Pipeline()
		for range 500 {
			pipe.Set(t.Context(), "a", "b", 0)
		}
		pipe.Get(t.Context(), "a")
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.WantTrips("SET*500+GET")
		if err := m.Client.Set(t.Context(), "a", strings.Repeat("x", 4<<20), 0).Err(); err != nil {
			t.Fatal(err)
		}
		if v, err := m.Client.Get(t.Context(), "a").Result(); len(v) != 4<<20 || err != nil {
			t.Errorf("got %d bytes, %v", len(v), err)
		}
		m.WantTrips("SET", "GET")
	})
}

func TestOutages(t *testing.T) {
	Run(t, func(t *testing.T, f *Fleet) {
		m := f.Machine(func(o *redis.Options) { o.MaxRetries = -1 })
		set := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			return m.Client.Set(ctx, "a", "b", 0).Err()
		}
		check := func(want error) {
			t.Helper()
			if err := set(); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		check(nil)
		f.Down()
		check(syscall.EPIPE) // on the connection that the pool still has
		check(syscall.ECONNREFUSED)
		f.Up()
		check(nil)
		f.Refuse("OOM no more")
		if err := set(); err == nil || err.Error() != "OOM no more" {
			t.Errorf("got %v", err)
		}
		f.Refuse("")
		f.Vanish()
		if err := set(); err == nil {
			t.Error("Redis has vanished, and answers")
		}
		m.Break()
		check(context.DeadlineExceeded) // no dial is answered
		f.Thaw()
		check(nil)

		f.Redis.Del("a")
		f.Freeze()
		if err := set(); err == nil || f.Redis.Exists("a") {
			t.Errorf("got %v from a server that hangs", err)
		}
		f.Thaw()
		time.Sleep(time.Nanosecond)
		if !f.Redis.Exists("a") {
			t.Error("what was sent meanwhile is lost")
		}
	})
}

func TestCommandIsReadWhole(t *testing.T) {
	whole := "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\nb\r\nc\r\n"
	for n := range len(whole) {
		if args, size := command([]byte(whole[:n])); size != 0 {
			t.Fatalf("%q: %q", whole[:n], args)
		}
	}
	args, size := command([]byte(whole + "*1\r\n"))
	if size != len(whole) || len(args) != 3 || string(args[2]) != "b\r\nc" {
		t.Errorf("got %q, %d", args, size)
	}
}
