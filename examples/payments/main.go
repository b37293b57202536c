// Command payments is a small payments API that is safe to retry. It serves on 127.0.0.1:8080, over
// a Redis inside the program or the one that REPRISE_REDIS_URL names, and prints what to try.
//
//	go run ./examples/payments [-addr HOST:PORT] [-replicas N] [-db FILE|URL] [-metrics HOST:PORT]
//
// The handlers (handlers.go) know nothing of retries. The adapter in front of them, and the engine
// behind that, are made in fleet.go. The ledger (ledger.go) books by package effect, so that a
// payment is made once even if the program is killed and Redis forgets.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// grace is how long work in flight gets to end when the program is stopped.
const grace = 10 * time.Second

// run returns the program's exit status: 2 if flags or environment are at fault.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	flags, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	settings, err := settingsFrom(environ)
	if err != nil {
		fmt.Fprintf(stderr, "payments: the environment has settings that aren't accepted:\n%v\n", err)
		return 2
	}
	fleet, err := start(ctx, settings, flags, slog.New(slog.NewTextHandler(stderr, nil)))
	if err == nil {
		fmt.Fprint(stdout, fleet.hello())
		err = errors.Join(fleet.serve(ctx), fleet.stop(grace))
	}
	if err != nil {
		fmt.Fprintln(stderr, "payments:", err)
		return 1
	}
	return 0
}
