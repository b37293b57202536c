package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/reprise-go/reprise/lock"
)

// everybody is who is compared.
var everybody = []string{"naive", "floor", "shared", "alone", "engine", "adapter"}

// A comparison is what contenders have come to at a row.
type comparison struct {
	row
	of map[string]results
}

// compareOn measures every operation, with 1 KiB in and 1 KiB out.
func (b *bench) compareOn(ctx context.Context, kind string) (string, error) {
	all, err := b.compare(ctx, kind, 1<<10, b.callers)
	if kind == "single" {
		b.curves = all
	}
	return table(all), err
}

// long is the same with 64 KiB, which share no pipelines.
func (b *bench) long(ctx context.Context) (string, error) {
	var callers []int
	for _, n := range b.callers {
		if n <= 32 {
			callers = append(callers, n)
		}
	}
	all, err := b.compare(ctx, "single", 64<<10, callers)
	return table(all), err
}

func (b *bench) compare(ctx context.Context, kind string, size int, callers []int) (measured []comparison, err error) {
	s, err := b.site(ctx, kind)
	if err != nil {
		return nil, err
	}
	all, err := contenders(s, size, everybody...)
	if err != nil {
		return nil, err
	}
	defer all.close()
	for _, op := range []string{"first", "replay", "conflict"} {
		for _, n := range callers {
			r, err := b.measure(ctx, s, all, row{op, n})
			if err != nil {
				return nil, fmt.Errorf("%s, %d callers: %w", op, n, err)
			}
			fmt.Fprintf(b.log, "%s, %d KiB: %s, %d callers\n", kind, size>>10, op, n)
			c := comparison{row{op, n}, map[string]results{}}
			for i, contender := range all {
				c.of[contender.name] = r[i]
			}
			measured = append(measured, c)
		}
	}
	return measured, nil
}

// table shows the adapter, and the engine beside it.
func table(all []comparison) string {
	var t strings.Builder
	t.WriteString("| request | callers | time | of naive | of the floor | engine, of the floor | shared, of the floor | p50 | p99 | CPU | of naive | of the floor | engine, of alone | allocations |\n")
	t.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range all {
		ours := c.of["adapter"]
		m := ours.median()
		ofNaive, cpuOfNaive := ours.of(c.of["naive"])
		ofFloor, cpuOfFloor := ours.of(c.of["floor"])
		engine, _ := c.of["engine"].of(c.of["floor"])
		shared, _ := c.of["shared"].of(c.of["floor"])
		_, cpuOfAlone := c.of["engine"].of(c.of["alone"])
		fmt.Fprintf(&t, "| %s | %d | %s | %.2f | %.2f | %.2f | %.2f | %s | %s | %s | %.2f | %.2f | %.2f | %.0f |\n", c.op, c.callers,
			micros(m.time), ofNaive, ofFloor, engine, shared, micros(m.p50), micros(m.p99),
			micros(m.cpu), cpuOfNaive, cpuOfFloor, cpuOfAlone, m.allocs)
	}
	return t.String()
}

// contenders are some by their names, each with a client of its own. They answer with a body of this
// length.
func contenders(s *site, size int, names ...string) (all team, err error) {
	body := payments(size)
	a := &answer{Status: 201, Body: body}
	for _, name := range names {
		var c contender
		client := s.client()
		switch name {
		case "naive":
			c = naive(client, a)
		case "floor":
			c, err = floor(client, a)
		case "shared":
			c, err = shared(client, a)
		case "alone":
			c, err = engine(name, client, a, lock.PipelineOff)
		case "engine":
			c, err = engine(name, client, a, lock.PipelineAuto)
		case "adapter":
			c, err = adapter(client, body)
		}
		c.client = client
		all = append(all, c)
		if err != nil {
			all.close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

// A team is contenders who are compared.
type team []contender

func (t team) close() {
	for _, c := range t {
		_ = c.client.Close()
	}
}
