package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// TestNeedsDocker is what the next test runs in a process of its own.
func TestNeedsDocker(t *testing.T) {
	Require(t)
}

func TestWithoutDocker(t *testing.T) {
	lacks(t, "no Docker engine", "DOCKER_HOST=unix:///nowhere/docker.sock")
}

func TestWithoutImage(t *testing.T) {
	Require(t)
	lacks(t, "no image reprise-no-such-image:1, which `make images` pulls or builds", ImageEnv+"=reprise-no-such-image:1")
}

func TestDockerIsLeftOut(t *testing.T) {
	test := exec.Command(os.Args[0], "-test.run=^TestNeedsDocker$", "-test.v")
	test.Env = append(os.Environ(), RequireEnv+"=0")
	out, err := test.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "NOT RUN: "+RequireEnv+"=0") {
		t.Errorf("%v\n%s", err, out)
	}
}

// lacks runs a test that needs Docker where environ has it lacking.
func lacks(t *testing.T, reason, environ string) {
	for _, tc := range []struct {
		name, required, want string
		fails                bool
	}{
		{"is skipped and says so", "", "NOT RUN: " + reason, false},
		{"fails where it is required", "1", RequireEnv + "=1, but " + reason, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			test := exec.Command(os.Args[0], "-test.run=^TestNeedsDocker$", "-test.v")
			test.Env = append(os.Environ(), environ, RequireEnv+"="+tc.required)
			out, err := test.CombinedOutput()
			if (err != nil) != tc.fails || !strings.Contains(string(out), tc.want) {
				t.Errorf("%v; want %q in:\n%s", err, tc.want, out)
			}
		})
	}
}

// A server that does not start says why in its log, and the error ends with that.
func TestServerThatDoesNotStartSaysWhy(t *testing.T) {
	Require(t)
	if _, err := StartSingle(deadline(t), "--no-such-option", "yes"); err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("StartSingle: %v", err)
	}
}

func TestEventuallyGivesUpWithWhatItSawLast(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	seen := errors.New("not yet")
	calls := 0
	err := Eventually(ctx, "it is done", func(ctx context.Context) error {
		if calls++; calls == 3 {
			cancel()
			return ctx.Err()
		}
		return seen
	})
	if !errors.Is(err, seen) || !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

func TestSingle(t *testing.T) {
	Require(t)
	ctx := deadline(t)
	s, err := StartSingle(ctx, "--maxmemory", "64mb")
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client()
	defer client.Close()
	if got, err := client.ConfigGet(ctx, "maxmemory").Result(); got["maxmemory"] != "67108864" || err != nil {
		t.Errorf("maxmemory is %v, %v", got, err)
	}

	// Close works on a node that is paused, and with a context that has ended, as
	// a test's has when it cleans up.
	if err := s.node.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Close(ended); err != nil {
		t.Fatal(err)
	}
	if left := remains(t, s.group.name); len(left) != 0 {
		t.Errorf("Close left %v", left)
	}
}

// dieEnv makes the test binary do nothing but this, for the next test.
const dieEnv = "REPRISE_TEST_DIE"

func dieHoldingAContainer() {
	s, err := StartSingle(context.Background())
	if err != nil {
		panic(err)
	}
	panic("holding " + s.group.name + ";")
}

func TestPanicLeavesNothing(t *testing.T) {
	Require(t)
	if _, err := exec.LookPath("docker"); err != nil {
		if os.Getenv(RequireEnv) == "1" {
			t.Fatal(err)
		}
		t.Skip("NOT RUN: the watcher needs the docker command")
	}
	test := exec.Command(os.Args[0])
	test.Env = append(os.Environ(), dieEnv+"=1")
	out, _ := test.CombinedOutput()
	_, group, died := strings.Cut(string(out), "panic: holding ")
	if !died {
		t.Fatalf("it did not die holding a container:\n%s", out)
	}
	group, _, _ = strings.Cut(group, ";")

	err := Eventually(deadline(t), "all is removed", func(context.Context) error {
		if left := remains(t, group); len(left) != 0 {
			return errors.New(strings.Join(left, ", "))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// remains lists what carries the group's label.
func remains(t *testing.T, group string) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	docker, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	label := make(client.Filters).Add("label", Label+"="+group)
	containers, err1 := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: label})
	networks, err2 := docker.NetworkList(ctx, client.NetworkListOptions{Filters: label})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, c := range containers.Items {
		names = append(names, c.Names...)
	}
	for _, n := range networks.Items {
		names = append(names, n.Name)
	}
	return names
}
