package main

import (
	"context"
	"fmt"
	"io"
)

// goals are how many times the floor's time a request may take through the HTTP adapter, with 1 KiB
// in and 1 KiB out, on one Redis on loopback.
var goals = []struct {
	row
	atMost float64
}{
	{row{"first", 1}, 1.20},
	{row{"replay", 1}, 1.25},
	{row{"conflict", 1}, 1.25},
	{row{"first", 32}, 0.85},
	{row{"replay", 32}, 0.80},
	{row{"first", 256}, 0.70},
	{row{"replay", 256}, 0.65},
}

func measureGoals(ctx context.Context, out io.Writer, s *site, rounds int) error {
	all, err := contenders(s, 1<<10, "adapter", "floor", "shared")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| request | callers | floor | adapter | shared ÷ floor | adapter ÷ floor | goal | | CPU: floor | adapter | of the floor's |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, g := range goals {
		r, err := measure(ctx, s, all, g.row, rounds)
		if err != nil {
			return fmt.Errorf("%s, %d callers: %w", g.op, g.callers, err)
		}
		ours, floor := r[0].median(), r[1].median()
		ratio, cpu := r[0].of(r[1])
		shared, _ := r[2].of(r[1])
		verdict := "met"
		if ratio > g.atMost {
			verdict = "**missed**"
		}
		fmt.Fprintf(out, "| %s | %d | %s | %s | %.2f | %.2f | ≤ %.2f | %s | %s | %s | %.2f |\n", g.op, g.callers,
			micros(floor.time), micros(ours.time), shared, ratio, g.atMost, verdict,
			micros(floor.cpu), micros(ours.cpu), cpu)
	}
	return nil
}
