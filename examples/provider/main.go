// Command provider charges another company's API and books the charge in a database of its own. In
// between, it is killed. Neither happens twice: the other company gets a key that is derived from the
// request's, the same in every attempt (httpclient.WithDerivedKey), and the booking is an effect
// (package effect). The program needs no server, and prints what happens:
//
//	go run ./examples/provider
//
// It starts itself as a worker several times, and plays Redis and the other company for it. What the
// worker does is in worker.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/reprise-go/reprise/examples/internal/embedded"
)

func main() {
	ctx := context.Background()
	work := play
	if _, ok := os.LookupEnv(redisVariable); ok {
		work = handle
	}
	if err := work(ctx); err != nil {
		log.Fatal(err)
	}
}

// What a worker is told by its environment.
const (
	redisVariable    = "WORKER_REDIS"    // where Redis is
	providerVariable = "WORKER_PROVIDER" // the URL of the other company
	ledgerVariable   = "WORKER_LEDGER"   // the file of our own database
	crashVariable    = "WORKER_CRASH"    // if set, die between charge and booking
)

// play runs the workers, one after the other.
func play(ctx context.Context) error {
	redis := embedded.Start()
	defer redis.Close()
	addr, err := redis.Listen()
	if err != nil {
		return err
	}
	bank := newProvider()
	server := httptest.NewServer(bank)
	defer server.Close()
	dir, err := os.MkdirTemp("", "provider-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	worker := func(more ...string) error {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), redisVariable+"="+addr, providerVariable+"="+server.URL,
			ledgerVariable+"="+filepath.Join(dir, "ledger.db"))
		cmd.Env = append(cmd.Env, more...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	killed := worker(crashVariable + "=1")
	if exit, ok := errors.AsType[*exec.ExitError](killed); !ok || exit.Exited() {
		return fmt.Errorf("the worker was to be killed: %w", killed)
	}
	fmt.Println("killed before it could book")
	if err := worker(); err != nil {
		return err
	}
	if err := worker(); err != nil {
		return err
	}
	redis.Forget()
	fmt.Println("Redis has forgotten everything")
	if err := worker(); err != nil {
		return err
	}
	fmt.Println("charges by the other company:", bank.count())
	return nil
}
