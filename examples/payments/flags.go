package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
)

// addresses returns the address of each replica. Of what is wrong it tells stderr itself.
func addresses(args []string, stderr io.Writer) ([]string, error) {
	flags := flag.NewFlagSet("payments", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8080", "serve on `HOST:PORT`; port 0 is any free one")
	replicas := flags.Int("replicas", 1, "serve as a fleet of `N`, on N consecutive ports")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	fault := func(format string, args ...any) ([]string, error) {
		err := fmt.Errorf(format, args...)
		fmt.Fprintln(stderr, "payments:", err)
		return nil, err
	}
	host, p, err := net.SplitHostPort(*addr)
	port, bad := strconv.ParseUint(p, 10, 16)
	switch {
	case flags.NArg() > 0:
		return fault("got %q, want flags only", flags.Arg(0))
	case err != nil || bad != nil:
		return fault("-addr: got %q, want HOST:PORT, the port being a number", *addr)
	case *replicas < 1 || *replicas > 100:
		return fault("-replicas: got %d, want 1 to 100", *replicas)
	case port+uint64(*replicas) > 1<<16:
		return fault("-replicas: got %d, want ports up to 65535 from %d on", *replicas, port)
	}
	addrs := make([]string, *replicas)
	for i := range addrs {
		addrs[i] = net.JoinHostPort(host, strconv.FormatUint(port, 10))
		if port > 0 {
			port++
		}
	}
	return addrs, nil
}
