package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// published are the directories of the modules that people import or install, in the order of their
// tags: each requires only those before it. unpublished are for the repository alone, and have no
// versions. commands are those of the published that are programs, with arguments by which one says
// something.
var (
	published   = []string{".", "grpcadapter", "reprisetest", "telemetry", "cmd/reprise"}
	unpublished = []string{"examples", "integration"}
	commands    = map[string][]string{"cmd/reprise": {"version"}}
)

// A mod is a published module at the version to be released.
type mod struct {
	module.Version
	dir  string // below the repository's root, "." for the root module
	file *modfile.File
}

// tag is what the go command looks for in the repository.
func (m mod) tag() string { return path.Join(m.dir, m.Version.Version) }

// name is the directory's, or "root".
func (m mod) name() string {
	if m.dir == "." {
		return "root"
	}
	return m.dir
}

// checkVersion returns what keeps a version from being released.
func checkVersion(version string) error {
	switch {
	case !semver.IsValid(version), semver.Canonical(version) != version, module.IsPseudoVersion(version):
		return fmt.Errorf("VERSION is %q: want one like v0.1.0 or v0.2.0-rc.1 (https://semver.org, with a v in front and without + and build)", version)
	case semver.Compare(version, "v0.0.0") <= 0:
		return fmt.Errorf("VERSION is %q: want a later one than v0.0.0, which stands for no release", version)
	}
	return nil
}

// modules reads the go.mod of every published module. Its error names all that keeps them from being
// released at version.
func modules(repository, version string) ([]mod, error) {
	if err := checkWorkspace(repository); err != nil {
		return nil, err
	}
	var all []mod
	for _, dir := range published {
		name := filepath.Join(repository, dir, "go.mod")
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := modfile.Parse(path.Join(dir, "go.mod"), data, nil)
		if err != nil {
			return nil, err
		}
		if file.Module == nil {
			return nil, fmt.Errorf("%s names no module", file.Syntax.Name)
		}
		all = append(all, mod{module.Version{Path: file.Module.Mod.Path, Version: version}, dir, file})
	}
	var faults []error
	for i, m := range all {
		if want := path.Join(all[0].Path, m.dir); m.Path != want {
			faults = append(faults, fmt.Errorf("%s names module %s: want %s, where the go command looks for it", m.file.Syntax.Name, m.Path, want))
		}
		if err := module.Check(m.Path, version); err != nil {
			faults = append(faults, err) // v2.0.0 is another module, whose path ends in /v2
		}
		faults = append(faults, m.faults(all[0].Path, all[:i])...)
	}
	return all, errors.Join(faults...)
}

// checkWorkspace sees to it that each module of the workspace is either published or not.
func checkWorkspace(repository string) error {
	data, err := os.ReadFile(filepath.Join(repository, "go.work"))
	if err != nil {
		return err
	}
	work, err := modfile.ParseWork("go.work", data, nil)
	if err != nil {
		return err
	}
	for _, use := range work.Use {
		if dir := path.Clean(use.Path); !slices.Contains(published, dir) && !slices.Contains(unpublished, dir) {
			return fmt.Errorf("go.work uses %s: say in integration/release/module.go whether it is published", use.Path)
		}
	}
	return nil
}

// faults returns what in m's go.mod would fail an importer, who gets neither the workspace nor
// replacements. root is the path of the root module, earlier is what is tagged before m.
func (m mod) faults(root string, earlier []mod) []error {
	var faults []error
	fault := func(line *modfile.Line, format string, args ...any) {
		at := fmt.Sprintf("%s:%d: ", m.file.Syntax.Name, line.Start.Line)
		faults = append(faults, fmt.Errorf(at+format, args...))
	}
	for _, r := range m.file.Replace {
		fault(r.Syntax, "it replaces %s, and importers don't: go mod edit -dropreplace=%s", r.Old, r.Old)
	}
	for _, r := range m.file.Require {
		ours := r.Mod.Path == root || strings.HasPrefix(r.Mod.Path, root+"/")
		known := slices.ContainsFunc(earlier, func(e mod) bool { return e.Path == r.Mod.Path })
		switch {
		case ours && !known:
			fault(r.Syntax, "it requires %s, which is not published before it", r.Mod.Path)
		case ours && r.Mod.Version != m.Version.Version:
			fault(r.Syntax, "it requires %s %s, and a release of %s that of the same version: go mod edit -require=%[1]s@%[3]s",
				r.Mod.Path, r.Mod.Version, m.Version.Version)
		case r.Mod.Version == "v0.0.0":
			fault(r.Syntax, "it requires %s, which is no release", r.Mod)
		}
	}
	return faults
}

// tracked returns the paths of the files that Git tracks, from the repository's root.
func tracked(ctx context.Context, repository string) ([]string, error) {
	out, err := command(ctx, repository, nil, "git", "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), nil
}
