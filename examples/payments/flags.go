package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
)

// flags are what the command line says.
type flags struct {
	addrs   []string // of each replica
	db      string
	metrics string // where to serve them; empty for not at all
}

// parse reads the flags. Of what is wrong it tells stderr itself.
func parse(args []string, stderr io.Writer) (flags, error) {
	set := flag.NewFlagSet("payments", flag.ContinueOnError)
	set.SetOutput(stderr)
	addr := set.String("addr", "127.0.0.1:8080", "serve on `HOST:PORT`; port 0 is any free one")
	replicas := set.Int("replicas", 1, "serve as a fleet of `N`, on N consecutive ports")
	db := set.String("db", "", "keep the ledger in the SQLite `FILE`, or at a URL postgres://…; "+
		"without it, it ends with the program")
	metrics := set.String("metrics", "", "serve /metrics for Prometheus on `HOST:PORT`, for all replicas together")
	if err := set.Parse(args); err != nil {
		return flags{}, err
	}
	fault := func(format string, args ...any) (flags, error) {
		err := fmt.Errorf(format, args...)
		fmt.Fprintln(stderr, "payments:", err)
		return flags{}, err
	}
	host, p, err := net.SplitHostPort(*addr)
	port, bad := strconv.ParseUint(p, 10, 16)
	_, metricsPort, badMetrics := net.SplitHostPort(*metrics)
	if _, err := strconv.ParseUint(metricsPort, 10, 16); err != nil {
		badMetrics = err
	}
	switch {
	case *metrics != "" && badMetrics != nil:
		return fault("-metrics: got %q, want HOST:PORT, the port being a number", *metrics)
	case set.NArg() > 0:
		return fault("got %q, want flags only", set.Arg(0))
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
	return flags{addrs, *db, *metrics}, nil
}
