// Command reprise sees and steers a fleet: what stands under a key and since when, what is in flight,
// whether Redis and the settings are fit for the promise, and what clients are told. It reads the
// same variables as the programs that it looks after:
//
//	export REPRISE_REDIS_URL='redis://127.0.0.1:7001?addr=127.0.0.1:7002'
//	reprise doctor
//	reprise inspect --scope acme --key order-1
//
// reprise help lists its commands; docs/operations.md of the repository is the runbook that they
// belong to.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/reprise-go/reprise/cmd/reprise/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(cli.Run(ctx, cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
