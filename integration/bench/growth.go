package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// growth measures begin while Redis has more and more keys: one that grants, whose claim is then
// released, and one that finds a value.
func (b *bench) growth(ctx context.Context) (string, error) {
	s, err := b.site(ctx, "single")
	if err != nil {
		return "", err
	}
	if err := s.flush(ctx); err != nil {
		return "", err
	}
	client := s.client()
	defer client.Close()
	l, err := lock.New(client, lock.Config{})
	if err != nil {
		return "", err
	}
	var t strings.Builder
	t.WriteString("| keys | grant and release | find |\n|---|---|---|\n")
	filled := 0
	for _, n := range b.keys {
		if err := fill(ctx, client, filled, n); err != nil {
			return "", err
		}
		filled = n
		if size, err := s.size(ctx); err != nil || size != int64(n) {
			return "", fmt.Errorf("%w: %d keys, want %d", errors.Join(err, errNotSo), size, n)
		}
		grant := func(i int) error {
			lease, err := l.TryAcquire(ctx, "free "+strconv.Itoa(i), lock.Terms{Detached: true})
			if err != nil {
				return err
			}
			return lease.Release(ctx)
		}
		find := func(int) error {
			_, err := l.TryAcquire(ctx, filling(rand.N(n)), lock.Terms{})
			return check(nil, errors.Is(err, lock.ErrDone))
		}
		operations := []func(int) error{grant, find}
		measured := make([]results, len(operations))
		turn := max(64, int(b.perTurn/(100*time.Microsecond)))
		for round := range b.rounds + 1 {
			for i, do := range operations {
				var s sum
				for range b.inRound {
					if err := s.run(turn, 1, do); err != nil {
						return "", err
					}
				}
				if round > 0 { // the first warms up
					measured[i] = append(measured[i], s.figure())
				}
			}
		}
		fmt.Fprintf(&t, "| %d | %s | %s |\n", n, micros(measured[0].median().time), micros(measured[1].median().time))
		fmt.Fprintf(b.log, "growth: %d keys\n", n)
	}
	return t.String(), nil
}

func filling(i int) string { return redisKey("growth", strconv.Itoa(i)) }

// fill writes values that are no claims, from one number to another.
func fill(ctx context.Context, client redis.UniversalClient, from, to int) error {
	value := "R" + strings.Repeat("x", 127)
	for from < to {
		pipe := client.Pipeline()
		for ; from < to && pipe.Len() < 1000; from++ {
			pipe.Set(ctx, filling(from), value, time.Hour)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
