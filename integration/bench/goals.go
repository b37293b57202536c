package main

import (
	"context"
	"fmt"
	"strings"
)

// atMost is how many times the floor's time a request may take through the HTTP adapter, with 1 KiB
// in and 1 KiB out, on one Redis on loopback.
var atMost = []struct {
	row
	times float64
}{
	{row{"first", 1}, 1.20},
	{row{"replay", 1}, 1.25},
	{row{"conflict", 1}, 1.25},
	{row{"first", 32}, 0.85},
	{row{"replay", 32}, 0.80},
	{row{"first", 256}, 0.70},
	{row{"replay", 256}, 0.65},
}

// goals holds the adapter against the floor.
func (b *bench) goals(ctx context.Context) (string, error) {
	s, err := b.site(ctx, "single")
	if err != nil {
		return "", err
	}
	all, err := contenders(s, 1<<10, "adapter", "floor", "shared")
	if err != nil {
		return "", err
	}
	defer all.close()
	var t strings.Builder
	t.WriteString("| request | callers | floor | adapter | of the floor | goal | | shared, of the floor | CPU: floor | adapter | of the floor |\n")
	t.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, goal := range atMost {
		r, err := b.measure(ctx, s, all, goal.row)
		if err != nil {
			return "", fmt.Errorf("%s, %d callers: %w", goal.op, goal.callers, err)
		}
		fmt.Fprintf(b.log, "goals: %s, %d callers\n", goal.op, goal.callers)
		ours, floor := r[0].median(), r[1].median()
		ratio, cpu := r[0].of(r[1])
		shared, _ := r[2].of(r[1])
		verdict := "met"
		if ratio > goal.times {
			verdict = "**missed**"
		}
		fmt.Fprintf(&t, "| %s | %d | %s | %s | %.2f | ≤ %.2f | %s | %.2f | %s | %s | %.2f |\n", goal.op, goal.callers,
			micros(floor.time), micros(ours.time), ratio, goal.times, verdict, shared, micros(floor.cpu), micros(ours.cpu), cpu)
	}
	return t.String(), nil
}
