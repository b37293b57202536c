// Package imports has no code. Its test is the rule of which package may import which.
package imports

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/reprise-go/reprise"

// A rule is of one package: one that people import by itself, or an internal one that several share.
// It may import the packages in imports, others under internal/, and the modules in direct. A program
// that imports it may also link what those packages may, and the modules in indirect; and nothing
// else.
type rule struct {
	name     string
	imports  []string
	direct   []string
	indirect []string
}

const (
	goRedis  = "github.com/redis/go-redis/v9"
	redsync  = "github.com/go-redsync/redsync/v4"
	msgpack  = "github.com/vmihailenco/msgpack/v5"
	compress = "github.com/klauspost/compress"
	jsonText = "github.com/go-json-experiment/json"
)

var (
	ofGoRedis = []string{"github.com/cespare/xxhash/v2", "go.uber.org/atomic", "golang.org/x/sys"}
	ofMsgpack = []string{"github.com/vmihailenco/tagparser/v2"}
)

var rules = []rule{
	{name: "lock", direct: []string{goRedis, redsync}, indirect: ofGoRedis},
	{name: "cache", direct: []string{goRedis, msgpack, compress}, indirect: slices.Concat(ofGoRedis, ofMsgpack)},
	{name: "replay", imports: []string{"lock", "cache"}, direct: []string{goRedis}},
	{name: "effect", imports: []string{"cache", "lock", "replay"}},
	{name: "dialect"},
	{name: "httpadapter", imports: []string{"cache", "replay", "dialect"}, direct: []string{jsonText}},
	{name: "httpclient", imports: []string{"dialect"}},
	{name: "internal/charset"},
	{name: "internal/conformance"},
	{name: "internal/config"},
	{name: "internal/derive"},
	{name: "internal/fault", direct: []string{goRedis}, indirect: ofGoRedis},
	{name: "internal/field"},
	{name: "internal/forged", imports: []string{"cache"}},
	{name: "internal/header"},
	{name: "internal/intake"},
	{name: "internal/jitter"},
	{name: "internal/method"},
	{name: "internal/ratelog"},
	{name: "internal/redisurl", direct: []string{goRedis}, indirect: ofGoRedis},
	{name: "internal/refusal", imports: []string{"dialect"}},
	{name: "internal/uuid"},
}

// never lists what no package may link and no test of the root module may need. Google's modules
// belong to grpcadapter, OpenTelemetry's to telemetry, and the command line's to cmd/reprise, which are
// modules of their own for this reason.
var never = []string{"github.com/testcontainers/", "github.com/alicebob/miniredis/", "github.com/moby/", "github.com/docker/", "google.golang.org/",
	"go.opentelemetry.io/", "github.com/spf13/"}

func TestPackagesImportOneWay(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			own := list(t, ".", "./"+r.name)
			if len(own) == 0 {
				t.Fatal("no such package")
			}
			for _, path := range own[0].Imports {
				ours, isOurs := strings.CutPrefix(path, module+"/")
				switch {
				case isOurs && !strings.HasPrefix(ours, "internal/") && !slices.Contains(r.imports, ours):
					t.Errorf("it imports %s, which it may not", ours)
				case thirdParty(path) && !allowed(r.direct, path):
					t.Errorf("it imports %s, which it may not", path)
				}
			}
		})
	}
}

// A program that imports one package links nothing that the package doesn't need: with httpclient it
// links no Redis, no redsync and no msgpack, with dialect nothing outside the standard library.
func TestPackagesLinkNothingElse(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			packages, modules := r.links()
			for _, p := range list(t, ".", "-deps", "./"+r.name) {
				ours, isOurs := strings.CutPrefix(p.ImportPath, module+"/")
				switch {
				case isOurs && !strings.HasPrefix(ours, "internal/") && !slices.Contains(packages, ours):
					t.Errorf("it links %s, which it may not", ours)
				case thirdParty(p.ImportPath) && !allowed(modules, p.ImportPath):
					t.Errorf("it links %s, which it may not", p.ImportPath)
				}
			}
		})
	}
}

// links returns what a program that imports the package may link: our packages, and modules.
func (r rule) links() (packages, modules []string) {
	packages = []string{r.name}
	modules = slices.Concat(r.direct, r.indirect)
	for _, other := range rules {
		if slices.Contains(r.imports, other.name) {
			p, m := other.links()
			packages, modules = append(packages, p...), append(modules, m...)
		}
	}
	return packages, modules
}

// grpcadapter is a module of its own. It doesn't know httpadapter, nor httpadapter it.
func TestGRPCAdapterStandsBesideHTTP(t *testing.T) {
	own := list(t, "grpcadapter", ".")
	if len(own) == 0 {
		t.Fatal("no such package")
	}
	for _, path := range own[0].Imports {
		ours, isOurs := strings.CutPrefix(path, module+"/")
		if isOurs && !strings.HasPrefix(ours, "internal/") && !slices.Contains([]string{"cache", "replay", "dialect"}, ours) {
			t.Errorf("it imports %s, which it may not", ours)
		}
	}
	for _, p := range list(t, "grpcadapter", "-deps", ".") {
		if ours, _ := strings.CutPrefix(p.ImportPath, module+"/"); ours == "httpadapter" || ours == "httpclient" {
			t.Errorf("it links %s", ours)
		}
	}
}

// reprisetest is a module of its own. The handler brings its adapter along.
func TestReprisetestKnowsNoAdapter(t *testing.T) {
	own := list(t, "reprisetest", ".")
	if len(own) == 0 {
		t.Fatal("no such package")
	}
	for _, p := range list(t, "reprisetest", "-deps", ".") {
		ours, isOurs := strings.CutPrefix(p.ImportPath, module+"/")
		if isOurs && !strings.HasPrefix(ours, "internal/") && !slices.Contains([]string{"reprisetest", "replay", "lock", "cache", "dialect"}, ours) {
			t.Errorf("it links %s, which it may not", ours)
		}
	}
}

// telemetry is a module of its own, which links OpenTelemetry's API and not its SDK. The root module
// knows nothing of either: see never.
func TestTelemetryLinksTheAPIAlone(t *testing.T) {
	own := list(t, "telemetry", ".")
	if len(own) == 0 {
		t.Fatal("no such package")
	}
	for _, p := range list(t, "telemetry", "-deps", ".") {
		ours, isOurs := strings.CutPrefix(p.ImportPath, module+"/")
		switch {
		case strings.HasPrefix(p.ImportPath, "go.opentelemetry.io/otel/sdk"), strings.Contains(p.ImportPath, "/exporters/"):
			t.Errorf("it links %s", p.ImportPath)
		case isOurs && !strings.HasPrefix(ours, "internal/") &&
			!slices.Contains([]string{"telemetry", "replay", "lock", "cache", "httpclient", "dialect"}, ours):
			t.Errorf("it links %s", ours)
		}
	}
}

// cmd/reprise is a module of its own, for its command line's library and the adapter of gRPC. It is used, and
// uses nothing that programs are tested with.
func TestCommandStandsAlone(t *testing.T) {
	all := list(t, "cmd/reprise", "-deps", "./...")
	if !slices.ContainsFunc(all, func(p pkg) bool { return p.ImportPath == module+"/cmd/reprise/internal/cli" }) {
		t.Fatal("no such package")
	}
	for _, p := range all {
		ours, _ := strings.CutPrefix(p.ImportPath, module+"/")
		if slices.Contains([]string{"httpclient", "reprisetest"}, ours) || strings.HasPrefix(p.ImportPath, "github.com/alicebob/") {
			t.Errorf("it links %s", p.ImportPath)
		}
	}
}

func TestNothingNeedsContainers(t *testing.T) {
	all := list(t, ".", "-deps", "-test", "./...")
	if !slices.ContainsFunc(all, func(p pkg) bool { return allowed([]string{redsync}, p.ImportPath) }) {
		t.Fatal("go list has not found what lock is built on")
	}
	for _, p := range all {
		for _, n := range never {
			if strings.HasPrefix(p.ImportPath, n) {
				t.Errorf("%s is linked by a package of the root module or by its tests", p.ImportPath)
			}
		}
	}
}

// thirdParty reports whether an import path is neither ours nor the standard library's.
func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && path != module && !strings.HasPrefix(path, module+"/")
}

// allowed reports whether path is in one of the modules.
func allowed(modules []string, path string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") })
}

type pkg struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
}

// list runs go list in the root module without the workspace, as its importers do. A nested module
// needs the workspace: the version of the root module that it requires may not be released yet.
func list(t *testing.T, in string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Imports,GoFiles"}, args...)...)
	cmd.Dir = filepath.Join("../..", in)
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if in == "." {
		cmd.Env = append(cmd.Env, "GOWORK=off")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(out); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}
