// Command mutants breaks the library's rules on purpose, one at a time, and sees whether the
// simulation notices. It works on copies: what is on disk stays as it is.
//
//	go run ./integration/sim/mutants [-schedules 1500] [name…]
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

var schedules = flag.Int("schedules", 1500, "give up on a mutant after so many")

func main() {
	flag.Parse()
	root, err := output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/reprise-go/reprise")
	if err == nil {
		err = run(strings.TrimSpace(root))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run tries every mutant, as many at a time as there are processors.
func run(root string) error {
	begun := time.Now()
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	var tried []mutant
	for _, m := range mutants {
		if flag.NArg() == 0 || named(m, flag.Args()) {
			tried = append(tried, m)
		}
	}
	verdicts := make([]error, len(tried))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, m := range tried {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			said, err := try(m, root, filepath.Join(dir, fmt.Sprint(i)))
			verdicts[i] = err
			if err != nil {
				fmt.Printf("NOT CAUGHT  %s: %v\n", m.breaks, err)
				return
			}
			fmt.Printf("caught      %s: %s\n", m.breaks, said)
		})
	}
	all.Wait()
	caught := 0
	for _, err := range verdicts {
		if err == nil {
			caught++
		}
	}
	fmt.Printf("in %v\n%d of %d mutants caught\n", time.Since(begun).Round(time.Second), caught, len(tried))
	if caught < len(tried) {
		return errors.New("the simulation misses a broken rule")
	}
	return nil
}

var failure = regexp.MustCompile(`--- FAIL: TestSchedules/seed=(\d+)`)

// try builds the simulation over a mutant and runs it until a schedule fails. It returns what the
// simulation said, or why the mutant doesn't count as caught.
func try(m mutant, root, dir string) (said string, err error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("the text to change occurs %d times in %s:\n%s", n, m.file, m.old)
	}
	// The harness reads the scripts from where they are in relation to its own directory.
	if err := os.CopyFS(filepath.Join(dir, "lock/script"), os.DirFS(filepath.Join(root, "lock/script"))); err != nil {
		return "", err
	}
	here := filepath.Join(dir, "integration/sim")
	changed := filepath.Join(dir, m.file)
	if err := errors.Join(os.MkdirAll(here, 0o777), os.MkdirAll(filepath.Dir(changed), 0o777)); err != nil {
		return "", err
	}
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o666); err != nil {
		return "", err
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.file): changed}})
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o666); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "sim.test")
	if out, err := output("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary,
		"github.com/reprise-go/reprise/integration/sim"); err != nil {
		return "", fmt.Errorf("it doesn't build: %s", cmp.Or(out, err.Error()))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	test := exec.CommandContext(ctx, binary, "-test.run=TestSchedules", "-stop", fmt.Sprint("-schedules=", *schedules))
	if strings.HasPrefix(m.file, "effect/") {
		test.Args = append(test.Args, "-effects")
	}
	test.Dir = here
	out, err := test.CombinedOutput()
	seed := failure.FindSubmatch(out)
	switch {
	case err == nil:
		return "", fmt.Errorf("%d schedules keep every promise", *schedules)
	case ctx.Err() != nil || seed == nil:
		return "", fmt.Errorf("the simulation doesn't end as it should: %w\n%.2000s", err, out)
	}
	breach := regexp.MustCompile(`sim_test\.go:\d+: (.*):\n`).FindSubmatch(out)
	if breach == nil {
		return fmt.Sprintf("seed %s ends in a panic", seed[1]), nil
	}
	return fmt.Sprintf("seed %s: %s", seed[1], breach[1]), nil
}

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// named tells whether a mutant is among those that were asked for, by some words of what it breaks.
func named(m mutant, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(m.breaks, name) })
}
