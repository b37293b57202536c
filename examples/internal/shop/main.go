package shop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/reprise-go/reprise/examples/internal/embedded"
	"github.com/reprise-go/reprise/replay"
)

// Main is the main function of a router's program: it serves the shop's routes on -addr until it is
// interrupted.
func Main(routes func(*Shop) http.Handler) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	addr := flag.String("addr", "127.0.0.1:8080", "serve on `HOST:PORT`; port 0 is any free one")
	flag.Parse()
	if err := run(ctx, *addr, os.Stdout, routes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// grace is how long work in flight gets to end when the program is stopped.
const grace = 10 * time.Second

func run(ctx context.Context, addr string, out io.Writer, routes func(*Shop) http.Handler) error {
	redis := embedded.Start()
	defer redis.Close()
	client := redis.Client()
	defer client.Close()
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		return err
	}
	shop, err := New(engine)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(out, "Serving %s/payments over an embedded Redis.\n\nA payment; once more, and it is replayed:\n"+
		"curl -iw '\\n' %s/payments/bob -H 'Authorization: Bearer ann' -H 'Idempotency-Key: order-1' --json '{\"amount\":1999}'\n\n"+
		"What has been paid:\ncurl -w '\\n' %s/payments/bob -H 'Authorization: Bearer ann'\n\n", url, url, url)

	server := &http.Server{Handler: routes(shop), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return errors.Join(server.Shutdown(ending), server.Close())
}
