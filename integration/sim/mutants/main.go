// Command mutants breaks the library's rules on purpose, one at a time, and sees whether the
// simulation notices, or a test, where no history can show it. It works on copies: what is on disk
// stays as it is.
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

	var all []trial
	for _, m := range mutants {
		all = append(all, trial{m, "integration/sim", "TestSchedules"})
	}
	tried := slices.DeleteFunc(append(all, hidden...), func(t trial) bool {
		return flag.NArg() > 0 && !named(t.mutant, flag.Args())
	})
	verdicts := make([]error, len(tried))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var ended sync.WaitGroup
	for i, m := range tried {
		turns <- struct{}{}
		ended.Go(func() {
			defer func() { <-turns }()
			said, err := m.run(root, filepath.Join(dir, fmt.Sprint(i)))
			verdicts[i] = err
			if err != nil {
				fmt.Printf("NOT CAUGHT  %s: %v\n", m.breaks, err)
				return
			}
			fmt.Printf("caught      %s: %s\n", m.breaks, said)
		})
	}
	ended.Wait()
	caught := 0
	for _, err := range verdicts {
		if err == nil {
			caught++
		}
	}
	fmt.Printf("in %v\n%d of %d mutants caught\n", time.Since(begun).Round(time.Second), caught, len(tried))
	if caught < len(tried) {
		return errors.New("a broken rule goes unnoticed")
	}
	return nil
}

var failure = regexp.MustCompile(`--- FAIL: TestSchedules/seed=(\d+)`)

// run tries a mutant: a test has to fail over it. It returns what the test said, or why the mutant
// doesn't count as caught.
func (m trial) run(root, dir string) (said string, err error) {
	test, err := m.build(root, dir)
	if err != nil {
		return "", err
	}
	// CI tries mutants with what other tests leave them of two cores.
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Minute)
	defer cancel()
	args := []string{"-test.run=^" + m.test + "$"}
	if m.test == "TestSchedules" {
		args = append(args, "-stop", fmt.Sprint("-schedules=", *schedules))
		if strings.HasPrefix(m.file, "effect/") {
			args = append(args, "-effects")
		}
	}
	cmd := exec.CommandContext(ctx, test, args...)
	cmd.Dir = filepath.Dir(test)
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("it doesn't end: %w\n%.2000s", err, out)
	case m.test == "TestSchedules":
		return verdict(out, err)
	case err == nil:
		return "", fmt.Errorf("%s passes", m.test)
	case !strings.Contains(string(out), "--- FAIL: "+m.test):
		return "", fmt.Errorf("%s doesn't end as it should: %w\n%.2000s", m.test, err, out)
	}
	return m.test, nil
}

// verdict is what the simulation has said.
func verdict(out []byte, err error) (said string, _ error) {
	seed := failure.FindSubmatch(out)
	switch {
	case err == nil:
		return "", fmt.Errorf("%d schedules keep every promise", *schedules)
	case seed == nil:
		return "", fmt.Errorf("the simulation doesn't end as it should: %w\n%.2000s", err, out)
	}
	breach := regexp.MustCompile(`sim_test\.go:\d+: (.*):\n`).FindSubmatch(out)
	if breach == nil {
		return fmt.Sprintf("seed %s ends in a panic", seed[1]), nil
	}
	return fmt.Sprintf("seed %s: %s", seed[1], breach[1]), nil
}

// build builds the package's tests over the mutant, and returns their binary.
func (m trial) build(root, dir string) (test string, err error) {
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
	here := filepath.Join(dir, m.in)
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
	test = filepath.Join(here, "mutant.test")
	if out, err := output("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", test,
		"github.com/reprise-go/reprise/"+m.in); err != nil {
		return "", fmt.Errorf("it doesn't build: %s", cmp.Or(out, err.Error()))
	}
	return test, nil
}

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// named tells whether a mutant is among those that were asked for, by some words of what it breaks.
func named(m mutant, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(m.breaks, name) })
}
