package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every part runs, on real servers, and what it prints stands in the page afterwards.
func TestEveryPartRuns(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("NOT RUN: no redis-server is installed")
	}
	t.Chdir("../..") // where the scripts are read from
	// A lease is long enough to outlast a machine that is busy with other things.
	small := scale{perTurn: time.Millisecond, least: 1, inRound: 1, renewed: 1500 * time.Millisecond, ttl: time.Minute, leases: 600, waiters: 50, keys: []int{10, 100}}
	b := &bench{scale: small, rounds: 1, callers: numbers{1, 8}, log: io.Discard, out: io.Discard}
	page := filepath.Join(t.TempDir(), "page.md")
	var empty strings.Builder
	for _, name := range names() {
		empty.WriteString("Before " + name + ".\n<!-- bench: " + name + " -->\nold\n<!-- end of " + name + " -->\n")
	}
	if err := os.WriteFile(page, []byte(empty.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := b.run(t.Context(), "", page); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append(names(), "| first | 256 |", "| conflict | 8 |", "600 leases of 60 s", ": 0 lost,", "50 waiters", "| 100 |", "Measured on ") {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page doesn't have %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") || strings.Count(string(text), "Before ") != len(parts) {
		t.Errorf("the page still has what it had, or less:\n%s", text)
	}
	wellFormed(t, filepath.Join(filepath.Dir(page), "page.svg"))
}

func wellFormed(t *testing.T, file string) []byte {
	t.Helper()
	svg, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if len(svg) > 60<<10 {
		t.Errorf("the curves take %d bytes, want 60 KiB at most", len(svg))
	}
	return svg
}

// The same figures are the same picture.
func TestCurvesAreDeterministic(t *testing.T) {
	var all []comparison
	for _, op := range []string{"first", "replay", "conflict"} {
		for _, callers := range []int{1, 8, 32, 256, 1024} {
			c := comparison{row{op, callers}, map[string]results{}}
			for i, l := range lines {
				took := time.Duration(200_000 / callers * (i + 1))
				c.of[l.name] = results{{time: took, cpu: took / 2}}
			}
			all = append(all, c)
		}
	}
	var pictures [2][]byte
	for i := range pictures {
		file := filepath.Join(t.TempDir(), "curves.svg")
		if err := drawCurves(file, all); err != nil {
			t.Fatal(err)
		}
		pictures[i] = wellFormed(t, file)
	}
	if !bytes.Equal(pictures[0], pictures[1]) {
		t.Error("they differ")
	}
	for _, l := range lines {
		if !bytes.Contains(pictures[0], []byte(">"+l.name+"<")) {
			t.Errorf("%s has no legend", l.name)
		}
	}
}

// A contender that doesn't do what is measured ends the bench.
func TestWrongAnswersEndTheBench(t *testing.T) {
	for name, do := range map[string]func(int) error{
		"at once": func(int) error { return check(nil, false) },
		"later":   func(i int) error { return check(nil, i < 90) },
	} {
		var s sum
		if err := s.run(100, 8, do); !errors.Is(err, errNotSo) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if (&answer{201, []byte("a")}).equal(&answer{201, []byte("b")}) {
		t.Error("another answer counts as equal")
	}
}

func TestMedians(t *testing.T) {
	r := results{{time: 3, cpu: 30}, {time: 1, cpu: 10}, {time: 2, cpu: 20}}
	other := results{{time: 3, cpu: 10}, {time: 2, cpu: 10}, {time: 1, cpu: 10}}
	if m := r.median(); m.time != 2 || m.cpu != 20 {
		t.Errorf("medians %v", m)
	}
	if time, cpu := r.of(other); time != 1 || cpu != 2 {
		t.Errorf("ratios %v and %v", time, cpu)
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	b := &bench{rounds: 1, log: io.Discard, out: io.Discard}
	if err := b.run(t.Context(), "goals,nothing", ""); err == nil || !strings.Contains(err.Error(), `-only: got "nothing"`) {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{"", "1,,2", "0", "-1", "many"} {
		if err := new(numbers).Set(text); err == nil {
			t.Errorf("-callers %q is accepted", text)
		}
	}
}
