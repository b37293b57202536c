package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// A pair is an idempotency key and the scope that it is of, as a command line gives them.
type pair struct{ scope, key string }

// flags adds --scope and --key.
func (k *pair) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.scope, "scope", "", "whose key it is: what the adapter's Scope returns (none for GlobalScope); @file reads it from a file")
	c.Flags().StringVar(&k.key, "key", "", "the idempotency key, as the client sent it; - reads it from standard input, @file from a file, so that no list of processes shows it")
}

// read returns both, from wherever they are. A key that begins with @, or is -, has to come by a file or
// by standard input.
func (k *pair) read(ctx context.Context, stdin io.Reader) (scope, key string, err error) {
	if key, err = argument(ctx, "--key", k.key, stdin); err != nil {
		return "", "", err
	}
	if scope, err = argument(ctx, "--scope", k.scope, stdin); err != nil {
		return "", "", err
	}
	if key == "" {
		return "", "", misuse("--key: want an idempotency key, - or @file")
	}
	return scope, key, nil
}

// longestArgument is more than any dialect accepts for a key.
const longestArgument = 64 << 10

// argument returns what an argument stands for. The new line at its end belongs to the file.
func argument(ctx context.Context, name, value string, stdin io.Reader) (string, error) {
	path, isFile := strings.CutPrefix(value, "@")
	if !isFile && (value != "-" || name != "--key") {
		return value, nil
	}
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() { // a pipe may let it wait for ever, to be opened or read, while the program ends
		from := stdin
		if isFile {
			file, err := os.Open(path)
			if err != nil {
				done <- read{nil, err}
				return
			}
			defer file.Close()
			from = file
		}
		text, err := io.ReadAll(io.LimitReader(from, longestArgument+1))
		done <- read{text, err}
	}()
	var got read
	select {
	case got = <-done:
	case <-ctx.Done():
		return "", ended(ctx)
	}
	switch {
	case got.err != nil:
		return "", misuse("%s: %w", name, got.err)
	case len(got.text) > longestArgument:
		return "", misuse("%s: got more than %d bytes", name, longestArgument)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(got.text), "\n"), "\r"), nil
}

// A place is where a key stands in Redis.
type place struct {
	Digest string `json:"digest"`
	Redis  string `json:"redis_key"`
	Slot   *int   `json:"slot,omitempty"` // of a cluster
	Node   string `json:"node,omitempty"` // its primary; empty if it isn't known
}

func (p *program) keyCommand() *cobra.Command {
	var pair pair
	offline := false
	c := p.command(ask, &cobra.Command{
		Use:     "key",
		Short:   "Where a scope and a key stand in Redis: digest, slot, node",
		GroupID: fleet,
		Example: "  reprise key --scope acme --key order-1\n" +
			"  reprise key --scope acme --key - --json <key.txt",
		Long: "Redis holds a digest of scope and key, and never the key itself: this is how one gets from what a " +
			"customer says to what logs, traces and redis-cli show.",
	}, func(ctx context.Context, _ []string) error {
		open := p.connect
		if offline {
			open = func(context.Context) (*site, error) { return p.open() }
		}
		s, err := open(ctx)
		if err != nil {
			return err
		}
		defer s.close()
		scope, key, err := pair.read(ctx, p.Stdin)
		if err != nil {
			return err
		}
		at := place{Digest: s.engine.Digest(scope, key)}
		at.Redis = s.cfg.Prefix + ":" + at.Digest
		var unknown error
		if s.cluster != nil {
			slot := slotOf(at.Redis)
			at.Slot = &slot
		}
		if s.cluster == nil || !offline {
			var n node
			n, unknown = s.nodeOf(ctx, at.Redis)
			at.Node = n.addr
		}
		p.print(at, func() {
			t := &screen.Table{}
			t.Add(screen.Text("digest"), screen.Text(at.Digest))
			t.Add(screen.Text("redis"), screen.Text(at.Redis))
			if at.Slot != nil {
				t.Add(screen.Text("slot"), screen.Text(fmt.Sprint(*at.Slot)))
			}
			if at.Node != "" {
				t.Add(screen.Text("node"), screen.Text(at.Node))
			}
			p.out.Print(t)
		})
		if unknown != nil {
			return s.unavailable(ctx, "ask which node serves it", at.Redis, unknown)
		}
		return nil
	})
	pair.flags(c)
	c.Flags().BoolVar(&offline, "offline", false, "ask no node of a cluster which of them serves it")
	return c
}
