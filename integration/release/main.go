// Command release proves that a version can be used by those who have nothing but its tags. It
// makes the zip of each published module as the module proxy would, serves them as that version,
// and has a stranger's program for each module get it, build and run:
//
//	go run ./integration/release -version v0.1.0
//
// It takes the files that Git tracks, as they are in the working tree. Everything else happens in a
// temporary directory, with a module cache of its own: the version isn't left behind anywhere.
// CONTRIBUTING.md says what a release is.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	version := flag.String("version", "", "the version to be released, such as v0.1.0")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *version); err != nil {
		fmt.Fprintf(os.Stderr, "release-check: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nrelease-check: "))
		os.Exit(1)
	}
}

func run(ctx context.Context, version string) error {
	repository, err := command(ctx, ".", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	return check(ctx, strings.TrimSpace(repository), version, os.Stdout)
}
