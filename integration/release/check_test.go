package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// good is a repository of five modules that can be released as v0.1.0, by file name.
func good() map[string]string {
	return map[string]string{
		"go.work":                                  "go 1.26.0\nuse (\n\t.\n\t./grpcadapter\n\t./reprisetest\n\t./telemetry\n\t./cmd/reprise\n\t./examples\n)\n",
		"go.mod":                                   "module example.com/m\n\ngo 1.26.0\n",
		"m.go":                                     "// Package m is the root.\npackage m\n\nconst Word = \"root\"\n",
		"LICENSE":                                  "yours",
		"examples/go.mod":                          "module example.com/m/examples\n\ngo 1.26.0\n",
		"grpcadapter/go.mod":                       "module example.com/m/grpcadapter\n\ngo 1.26.0\n\nrequire example.com/m v0.1.0\n",
		"grpcadapter/a.go":                         "// Package grpcadapter is nested.\npackage grpcadapter\n\nimport \"example.com/m\"\n\nconst Word = \"nested in \" + m.Word\n",
		"reprisetest/go.mod":                       "module example.com/m/reprisetest\n\ngo 1.26.0\n\nrequire example.com/m v0.1.0\n",
		"reprisetest/a.go":                         "// Package reprisetest is nested.\npackage reprisetest\n\nimport \"example.com/m\"\n\nconst Word = \"beside \" + m.Word\n",
		"telemetry/go.mod":                         "module example.com/m/telemetry\n\ngo 1.26.0\n\nrequire example.com/m v0.1.0\n",
		"telemetry/a.go":                           "// Package telemetry is nested.\npackage telemetry\n\nimport \"example.com/m\"\n\nconst Word = \"above \" + m.Word\n",
		"cmd/reprise/go.mod":                       "module example.com/m/cmd/reprise\n\ngo 1.26.0\n\nrequire example.com/m v0.1.0\n",
		"cmd/reprise/main.go":                      "// Command reprise is installed.\npackage main\n\nimport (\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\t\"example.com/m\"\n)\n\nfunc main() {\n\tinfo, _ := debug.ReadBuildInfo()\n\tfmt.Println(\"installed beside\", m.Word, info.Main.Version)\n}\n",
		programs + "/root/go.mod":                  "module example.com/p\n\ngo 1.26.0\n",
		programs + "/root/main.go":                 "package main\n\nimport \"example.com/m\"\n\nfunc main() { println(m.Word) }\n",
		programs + "/grpcadapter/go.mod":           "module example.com/q\n\ngo 1.26.0\n",
		programs + "/grpcadapter/main.go":          "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/m/grpcadapter\"\n)\n\nfunc main() { fmt.Println(grpcadapter.Word) }\n",
		programs + "/reprisetest/go.mod":           "module example.com/s\n\ngo 1.26.0\n",
		programs + "/reprisetest/main.go":          "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/m/reprisetest\"\n)\n\nfunc main() { fmt.Println(reprisetest.Word) }\n",
		programs + "/telemetry/go.mod":             "module example.com/t\n\ngo 1.26.0\n",
		programs + "/telemetry/main.go":            "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/m/telemetry\"\n)\n\nfunc main() { fmt.Println(telemetry.Word) }\n",
		"examples/what a zip can't hold: a colon?": "which is nobody's business",
	}
}

// place makes a repository of files, tracks all of them, and sees to it that nothing is asked for
// beyond the machine.
func place(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	t.Setenv("GOPROXY", "off")
	dir = t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "init", "-q")
	git(t, dir, "add", "--all")
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.Command("git", args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestGoodRelease(t *testing.T) {
	var out strings.Builder
	if err := check(t.Context(), place(t, good()), "v0.1.0", &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"\nnested in root\n", "\nbeside root\n", "\nabove root\n", "\ninstalled beside root v0.1.0\n", "\nrelease-check: passed: v0.1.0 can be released as v0.1.0, then grpcadapter/v0.1.0, then reprisetest/v0.1.0, then telemetry/v0.1.0, then cmd/reprise/v0.1.0\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it doesn't say %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "LICENSE") {
		t.Errorf("it misses a license that is there:\n%s", out.String())
	}
}

// A network may fail once; what else fails is told at once.
func TestCommandRunsOnceMore(t *testing.T) {
	path := os.Getenv("PATH")
	for said, want := range map[string]string{
		"Get \"https://proxy.golang.org/\": dial tcp 192.0.2.1:443: i/o timeout": "run\nrun\n",
		"reading https://sum.golang.org/lookup/m: 502 Bad Gateway":               "run\nrun\n",
		"m@v0.1.0: verifying module: checksum mismatch":                          "run\n",
	} {
		dir := t.TempDir()
		const script = "#!/bin/sh\necho run >>runs\necho \"$1\" >&2\ntest \"$(wc -l <runs)\" -ge 2\n"
		if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o777); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+":"+path)
		_, err := command(t.Context(), dir, nil, "go", said)
		runs, _ := os.ReadFile(filepath.Join(dir, "runs"))
		if string(runs) != want || (err == nil) != (want == "run\nrun\n") {
			t.Errorf("%s: %v after\n%s", said, err, runs)
		}
	}
}

func TestLicenseOfTheRoot(t *testing.T) {
	m := mod{dir: "grpcadapter"}
	files, err := m.files(place(t, good()), []string{"LICENSE", "m.go", "grpcadapter/a.go"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Path())
	}
	if got, want := strings.Join(names, " "), "a.go LICENSE"; got != want {
		t.Errorf("the nested module has %q, want %q", got, want)
	}
}

func TestBadVersion(t *testing.T) {
	dir := place(t, good())
	for version, want := range map[string]string{
		"":                                   `VERSION is ""`,
		"0.1.0":                              `VERSION is "0.1.0"`,
		"v0.1":                               `VERSION is "v0.1"`,
		"v0.1.0+build":                       `VERSION is "v0.1.0+build"`,
		"v0.0.0":                             "stands for no release",
		"v0.0.0-rc.1":                        "stands for no release",
		"v0.0.0-20260102030405-abcdefabcdef": `VERSION is "v0.0.0-20260102030405-abcdefabcdef"`,
		"v2.0.0":                             "should be v0 or v1, not v2",
	} {
		if err := check(t.Context(), dir, version, t.Output()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("version %q: %v, want an error with %q", version, err, want)
		}
	}
}

func TestBadRelease(t *testing.T) {
	const nested = "module example.com/m/grpcadapter\n\ngo 1.26.0\n\n"
	for name, c := range map[string]struct {
		files map[string]string // beside those of a good one, or in their place
		links map[string]string // symbolic ones
		lose  string            // a file that is removed from the index
		want  []string          // what the error says
	}{
		"replaced": {
			files: map[string]string{"grpcadapter/go.mod": nested + "require example.com/m v0.1.0\n\nreplace example.com/m => ../\n"},
			want:  []string{"grpcadapter/go.mod:7: it replaces example.com/m", "go mod edit -dropreplace=example.com/m"},
		},
		"no version, and replaced": {
			files: map[string]string{"grpcadapter/go.mod": nested + "require example.com/m v0.0.0\n\nreplace example.com/m => ../\n"},
			want:  []string{"grpcadapter/go.mod:7: it replaces", "grpcadapter/go.mod:5: it requires example.com/m v0.0.0", "go mod edit -require=example.com/m@v0.1.0"},
		},
		"last version": {
			files: map[string]string{"grpcadapter/go.mod": nested + "require example.com/m v0.0.9\n"},
			want:  []string{"grpcadapter/go.mod:5: it requires example.com/m v0.0.9, and a release of v0.1.0 that of the same version"},
		},
		"no version of another's": {
			files: map[string]string{"go.mod": "module example.com/m\n\ngo 1.26.0\n\nrequire example.com/other v0.0.0\n"},
			want:  []string{"go.mod:5: it requires example.com/other@v0.0.0, which is no release"},
		},
		"what isn't published": {
			files: map[string]string{"go.mod": "module example.com/m\n\ngo 1.26.0\n\nrequire example.com/m/examples v0.1.0\n"},
			want:  []string{"go.mod:5: it requires example.com/m/examples, which is not published before it"},
		},
		"another path": {
			files: map[string]string{"grpcadapter/go.mod": "module example.com/other\n\ngo 1.26.0\n"},
			want:  []string{"grpcadapter/go.mod names module example.com/other: want example.com/m/grpcadapter"},
		},
		"a new module": {
			files: map[string]string{"go.work": "go 1.26.0\nuse ./new\n"},
			want:  []string{"go.work uses ./new: say in integration/release/module.go whether it is published"},
		},
		"a name that Windows can't have": {
			files: map[string]string{"testdata/12:00.txt": ""},
			want:  []string{"the zip of example.com/m@v0.1.0", "testdata/12:00.txt", "invalid char ':'"},
		},
		"two names in one": {
			files: map[string]string{"grpcadapter/A.go": "package grpcadapter\n"},
			want:  []string{"the zip of example.com/m/grpcadapter@v0.1.0", "case-insensitive file name collision"},
		},
		"a link": {
			links: map[string]string{"linked.go": "m.go"},
			want:  []string{"linked.go is no regular file"},
		},
		"a file that nobody added": {
			lose: "grpcadapter/a.go",
			want: []string{"example.com/m/grpcadapter@v0.1.0"},
		},
		"not tidy": {
			files: map[string]string{"grpcadapter/go.mod": nested + "require example.com/m v0.1.0 // indirect\n"},
			want:  []string{"example.com/m/grpcadapter@v0.1.0 by itself: go mod tidy -diff", "+require example.com/m v0.1.0"},
		},
		"doesn't compile": {
			files: map[string]string{"m.go": "package m\n\nconst Word = 1 + \"root\"\n"},
			want:  []string{"example.com/m@v0.1.0 by itself: go build ./...", "m.go:3"},
		},
		"a program that misses something": {
			files: map[string]string{programs + "/root/main.go": "package main\n\nimport \"example.com/m\"\n\nfunc main() { println(m.Gone) }\n"},
			want:  []string{"a program that imports example.com/m@v0.1.0: go build", "undefined: m.Gone"},
		},
		"a program that imports nothing": {
			files: map[string]string{programs + "/root/main.go": "package main\n\nfunc main() {}\n"},
			want:  []string{"a program that imports example.com/m@v0.1.0"},
		},
		"a program that doesn't run": {
			files: map[string]string{programs + "/root/main.go": "package main\n\nimport \"example.com/m\"\n\nfunc main() { panic(m.Word) }\n"},
			want:  []string{"a program that imports example.com/m@v0.1.0: program: exit status 2", "panic: root"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := good()
			for name, text := range c.files {
				files[name] = text
			}
			dir := place(t, files)
			for name, to := range c.links {
				if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				git(t, dir, "add", name)
			}
			if c.lose != "" {
				git(t, dir, "rm", "-q", "--cached", c.lose)
			}
			err := check(t.Context(), dir, "v0.1.0", t.Output())
			if err == nil {
				t.Fatal("it can be released")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error doesn't say %q: %v", want, err)
				}
			}
		})
	}
}
