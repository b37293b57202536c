package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

const (
	// RequireEnv set to "1" turns a missing Docker engine from a skip into a
	// failure. CI sets it, so that a green run means that the tests ran. Set to
	// "0" it skips these tests also where there is an engine.
	RequireEnv = "REPRISE_REQUIRE_DOCKER"

	// ImageEnv names the image of the servers: any of Redis 7.0 or later, or of
	// Valkey, that has a shell.
	ImageEnv     = "REDIS_IMAGE"
	defaultImage = "redis:7.0.15"
)

// Image is the Redis image that the containers run.
func Image() string {
	if image := os.Getenv(ImageEnv); image != "" {
		return image
	}
	return defaultImage
}

// Require skips t, with the reason, where no Docker engine answers or it lacks
// the image; under REPRISE_REQUIRE_DOCKER=1 it fails t instead.
func Require(t testing.TB) {
	t.Helper()
	RequireImage(t, Image())
}

// RequireImage does so for another image.
func RequireImage(t testing.TB, image string) {
	t.Helper()
	if _, err := ready(t.Context(), image); err != nil {
		if os.Getenv(RequireEnv) == "1" {
			t.Fatalf("%s=1, but %v", RequireEnv, err)
		}
		t.Skipf("NOT RUN: %v", err)
	}
}

// engine is the Docker engine that the containers run on.
type engine struct {
	*client.Client
	host string // where published ports are reached
}

// connect finds the engine, once per process.
var connect = sync.OnceValues(func() (*engine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()

	// testcontainers tells at length what it found; the tests tell what failed.
	log.SetDefault(log.NewNoopLogger())

	// The reaper is one more image to fetch, for what Close and the watcher do.
	// It has to be said before testcontainers reads its configuration.
	setDefault("TESTCONTAINERS_RYUK_DISABLED", "true")

	if err := namedEngineAnswers(ctx); err != nil {
		return nil, err
	}
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, err
	}
	info, err := docker.Client.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, err
	}
	if besideUs(docker.DaemonHost(), info.Info.Name) {
		setDefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	}

	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, err
	}
	host, err := provider.DaemonHost(ctx)
	if err != nil {
		return nil, err
	}
	if host == "localhost" {
		host = "127.0.0.1" // ports are published on IPv4 only
	}
	return &engine{docker.Client, host}, nil
})

// namedEngineAnswers refuses to go on when DOCKER_HOST names an engine that
// does not answer: testcontainers would quietly take the next one it finds.
func namedEngineAnswers(ctx context.Context) error {
	if os.Getenv("DOCKER_HOST") == "" {
		return nil
	}
	named, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	defer named.Close()
	_, err = named.Ping(ctx, client.PingOptions{})
	return err
}

// besideUs reports whether the engine runs in the container that we run in.
// There testcontainers looks for published ports on the gateway, as is right
// where the engine is outside; but then its machine has another name.
func besideUs(endpoint, engineName string) bool {
	if _, err := os.Stat("/.dockerenv"); err != nil {
		return false
	}
	hostname, err := os.Hostname()
	return err == nil && strings.HasPrefix(endpoint, "unix://") && engineName == hostname
}

// ready is the engine, which has the image. To look spares us testcontainers'
// minutes of retries where the image can't be pulled.
func ready(ctx context.Context, image string) (*engine, error) {
	if os.Getenv(RequireEnv) == "0" {
		return nil, errors.New(RequireEnv + "=0")
	}
	e, err := connect()
	if err != nil {
		return nil, fmt.Errorf("no Docker engine: %w", err)
	}
	if _, err := e.ImageInspect(ctx, image); err != nil {
		return nil, fmt.Errorf("no image %s, which `make images` pulls or builds: %w", image, err)
	}
	return e, nil
}

func setDefault(name, value string) {
	if _, set := os.LookupEnv(name); !set {
		os.Setenv(name, value)
	}
}
