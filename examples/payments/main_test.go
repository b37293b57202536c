package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary the program: what a test starts under this name is main.
const asProgram = "PAYMENTS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// startProgram starts the program on a free port and returns the URL that it says it serves.
func startProgram(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = []string{asProgram + "=1", "TMPDIR=" + t.TempDir()}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%v; stderr:\n%s", err, &stderr)
	}
	url, _, ok := strings.Cut(strings.TrimPrefix(line, "Serving "), " over an embedded Redis.")
	if !ok {
		t.Fatalf("the first line is %q", line)
	}
	return cmd, &stderr, url
}

// Killed after a payment and started again, with a Redis that has forgotten everything, the program
// answers a retry with the payment.
func TestKilledProgram(t *testing.T) {
	ledger := filepath.Join(t.TempDir(), "payments.db")
	program, _, url := startProgram(t, "-db", ledger)
	first := post(t, url, "k", order)
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	program.Wait()

	_, _, url = startProgram(t, "-db", ledger)
	again := post(t, url, "k", order)
	expect(t, url, again, 201, true, 1)
	if again.body != first.body {
		t.Errorf("got %v, want %v", again, first)
	}
	expect(t, url, post(t, url, "k", `{"amount":2999,"currency":"GBP"}`), 422, false, 1)
}

func TestSignalLetsWorkInFlightEnd(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			program, stderr, url := startProgram(t)

			answers := twoAtOnce(t, url, "k-secret", "2s")
			if err := program.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if last := <-answers; last.status != http.StatusCreated {
				t.Errorf("got %v, want 201", last)
			}
			if err := program.Wait(); err != nil {
				t.Errorf("the program ended with %v; stderr:\n%s", err, stderr)
			}
			if strings.Contains(stderr.String(), "k-secret") {
				t.Errorf("the key is in the log:\n%s", stderr)
			}
		})
	}
}

// Who waits for an answer would hold up a replica that ends for as long as the work runs elsewhere.
func TestShutdownSendsWaitersAway(t *testing.T) {
	f, urls := startFleet(t, 2, "REPRISE_HTTP_PREFER_WAIT=10m")
	answers := twoAtOnce(t, urls[0], "k", "60s")

	r := httptest.NewRequest(http.MethodPost, "/payments", strings.NewReader(order))
	r.Header.Set("Idempotency-Key", "k0")
	r.Header.Set("Prefer", "wait=600")
	w, told := httptest.NewRecorder(), make(chan struct{})
	go func() {
		f.replicas[1].server.Handler.ServeHTTP(w, r)
		close(told)
	}()
	if err := f.replicas[1].server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-told
	if w.Code != http.StatusConflict || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v, want 409 with Retry-After", w.Code, w.Header())
	}
	f.stop(time.Millisecond) // cuts off the work
	<-answers
}

// twoAtOnce returns when a request is in flight, which it knows by another's being refused, and
// gives its answer in its time.
func twoAtOnce(t *testing.T, url, key, delay string) <-chan reply {
	t.Helper()
	answers := make(chan reply, 2)
	for i := 0; ; i++ {
		for range 2 {
			go func() { answers <- try(url, fmt.Sprint(key, i), order, delayHeader, delay) }()
		}
		switch first := <-answers; first.status {
		case http.StatusConflict:
			return answers
		case http.StatusCreated: // the machine is so busy that the other comes too late
			<-answers
		default:
			t.Fatalf("got %v, want 409", first)
		}
	}
}

func TestStopIsBounded(t *testing.T) {
	f, urls := startFleet(t, 1, "REPRISE_LOCK_TTL=6s")
	answers := twoAtOnce(t, urls[0], "k", "60s")
	if err := f.stop(time.Millisecond); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("got %v, want to be told that work was cut off", err)
	}
	if last := <-answers; last.err == nil {
		t.Errorf("got %v, want a broken connection", last)
	}
}

func TestFaultySettings(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	for _, tt := range []struct {
		name    string
		args    []string
		environ []string
		status  int
		want    []string
		not     string
	}{
		{
			name: "every faulty variable is named",
			environ: []string{"REPRISE_LOCK_TTL=soon", "REPRISE_REPLAY_WAIT=-1s", "REPRISE_CACHE_MAX_DECODED=1",
				"REPRISE_HTTP_STORES=some", "REPRISE_REDIS_URL=http://:hunter2@redis"},
			status: 2,
			want: []string{"REPRISE_LOCK_TTL: got \"soon\", want", "REPRISE_REPLAY_WAIT", "REPRISE_CACHE_MAX_DECODED",
				"REPRISE_HTTP_STORES: got \"some\", want", `REPRISE_REDIS_URL: got "the scheme http", want redis://`},
			not: "hunter2",
		},
		{
			name:    "rule across two variables",
			environ: []string{"REPRISE_LOCK_TTL=1s", "REPRISE_LOCK_RENEW=900ms"},
			status:  2,
			want:    []string{"REPRISE_LOCK_RENEW", "REPRISE_LOCK_TTL"},
		},
		{
			name:    "no answer from Redis",
			args:    []string{"-addr", "127.0.0.1:0"},
			environ: []string{"REPRISE_REDIS_URL=redis://user:hunter2@" + closed.Addr().String()},
			status:  1,
			want:    []string{"REPRISE_REDIS_URL", closed.Addr().String()},
			not:     "hunter2",
		},
		{name: "unknown flag", args: []string{"-port", "80"}, status: 2, want: []string{"-port", "-addr HOST:PORT"}},
		{name: "no port", args: []string{"-addr", "localhost"}, status: 2, want: []string{"-addr", "localhost", "HOST:PORT"}},
		{name: "port name", args: []string{"-addr", "localhost:http"}, status: 2, want: []string{"localhost:http"}},
		{name: "port too high", args: []string{"-addr", "localhost:65536"}, status: 2, want: []string{"localhost:65536"}},
		{name: "no replicas", args: []string{"-replicas", "0"}, status: 2, want: []string{"-replicas", "1 to 100"}},
		{name: "too many replicas", args: []string{"-replicas", "101"}, status: 2, want: []string{"-replicas", "1 to 100"}},
		{name: "no ports left", args: []string{"-addr", ":65535", "-replicas", "2"}, status: 2, want: []string{"-replicas", "65535"}},
		{name: "no such directory", args: []string{"-db", "/nowhere/payments.db"}, status: 1, want: []string{"-db: /nowhere/payments.db"}},
		{
			name:   "no answer from PostgreSQL",
			args:   []string{"-db", "postgres://user:hunter2@" + closed.Addr().String() + "/shop"},
			status: 1,
			want:   []string{"-db: PostgreSQL at " + closed.Addr().String() + "/shop"},
			not:    "hunter2",
		},
		{
			name:    "effects are forgotten too soon",
			args:    []string{"-addr", "127.0.0.1:0"},
			environ: []string{"REPRISE_REPLAY_TTL=72h"},
			status:  1,
			want:    []string{"Retention", "72h10m0s"},
		},
		{name: "argument", args: []string{"serve"}, status: 2, want: []string{`"serve"`}},
		{name: "no port of metrics", args: []string{"-metrics", "localhost"}, status: 2, want: []string{"-metrics", "HOST:PORT"}},
		{name: "help", args: []string{"-h"}, status: 0, want: []string{"-addr HOST:PORT", "-replicas N", "-db FILE", "-metrics HOST:PORT"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if status := run(t.Context(), tt.args, tt.environ, &stdout, &stderr); status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("no %s in:\n%s", want, &stderr)
				}
			}
			if tt.not != "" && strings.Contains(stderr.String(), tt.not) {
				t.Errorf("%s is in:\n%s", tt.not, &stderr)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout:\n%s", &stdout)
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"-addr", taken.Addr().String()}, nil, &stdout, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), taken.Addr().String()) || stdout.Len() > 0 {
		t.Errorf("status %d, stdout %q, stderr %q", status, &stdout, &stderr)
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", "127.0.0.1:8080"},
		{"-replicas 3", "127.0.0.1:8080 127.0.0.1:8081 127.0.0.1:8082"},
		{"-addr [::1]:9000 -replicas 2", "[::1]:9000 [::1]:9001"},
		{"-addr :0 -replicas 2", ":0 :0"},
		{"-addr :65534 -replicas 2", ":65534 :65535"},
	} {
		got, err := parse(strings.Fields(tt.args), t.Output())
		if s := strings.Join(got.addrs, " "); err != nil || s != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.args, s, err, tt.want)
		}
	}
}

// TestHello pastes the lines that the program prints into a shell.
func TestHello(t *testing.T) {
	for _, name := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	for _, replicas := range []int{1, 3} {
		f, urls := startFleet(t, replicas)
		hello := f.hello()
		var got []string
		for line := range strings.Lines(hello) {
			if !strings.HasPrefix(line, "curl -i") {
				continue
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
			cmd.Stderr = t.Output()
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			var heads []string
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "HTTP/1.1 ") || strings.HasPrefix(line, "Idempotency-Replayed") {
					heads = append(heads, strings.TrimSpace(line))
				}
			}
			got = append(got, strings.Join(heads, ", "))
		}
		want := []string{
			"HTTP/1.1 201 Created",
			"HTTP/1.1 201 Created, Idempotency-Replayed: true",
			"HTTP/1.1 422 Unprocessable Entity",
			"HTTP/1.1 409 Conflict, HTTP/1.1 201 Created",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%d replicas: got %q, want %q", replicas, got, want)
		}
		if n := charges(t, urls[0]); n != 2 {
			t.Errorf("%d replicas: %d charges, want 2", replicas, n)
		}
	}
}

// startFleet serves replicas on free ports, over an embedded Redis, and returns their URLs.
func startFleet(t *testing.T, replicas int, environ ...string) (*fleet, []string) {
	t.Helper()
	s, err := settingsFrom(environ)
	if err != nil {
		t.Fatal(err)
	}
	addrs := make([]string, replicas)
	for i := range addrs {
		addrs[i] = "127.0.0.1:0"
	}
	ctx, cancel := context.WithCancel(context.Background())
	f, err := start(ctx, s, flags{addrs: addrs}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- f.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil && err != http.ErrServerClosed {
			t.Error(err)
		}
		f.stop(grace)
	})
	var urls []string
	for _, r := range f.replicas {
		urls = append(urls, "http://"+r.listener.Addr().String()+"/payments")
	}
	return f, urls
}
