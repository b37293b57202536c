package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/zip"
)

// programs is where the strangers' programs are, each in the directory of its module's name.
const programs = "integration/release/testdata"

// patience is how long one command may take: the slowest downloads and compiles all that grpc needs.
const patience = 5 * time.Minute

// check releases a version of what is in repository into a proxy, uses it from there, and says on out
// how far it is.
func check(ctx context.Context, repository, version string, out io.Writer) (err error) {
	if err := checkVersion(version); err != nil {
		return err
	}
	all, err := modules(repository, version)
	if err != nil {
		return err
	}
	names, err := tracked(ctx, repository)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-check")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	p := proxy(filepath.Join(work, "proxy"))
	for _, m := range all {
		if err := p.add(m, repository, names); err != nil {
			return err
		}
	}
	env, err := environment(ctx, repository, work, p, all[0].Path)
	if err != nil {
		return err
	}
	var tags []string
	for _, m := range all {
		fmt.Fprintf(out, "release-check: %s: tidied and built by itself\n", m.Version)
		if err := alone(ctx, m, all, p, filepath.Join(work, "alone", m.name()), env); err != nil {
			return fmt.Errorf("%s by itself: %w", m.Version, err)
		}
		said, err := "", error(nil)
		if args, isCommand := commands[m.dir]; isCommand {
			fmt.Fprintf(out, "release-check: %s: installed, and run with %s\n", m.Version, strings.Join(args, " "))
			if said, err = install(ctx, m, args, filepath.Join(work, "bin"), env); err != nil {
				return fmt.Errorf("go install %s: %w", m.Version, err)
			}
		} else {
			fmt.Fprintf(out, "release-check: %s: imported, built and run by %s/%s\n", m.Version, programs, m.name())
			if said, err = use(ctx, m, filepath.Join(repository, programs, m.name()), filepath.Join(work, "program", m.name()), env); err != nil {
				return fmt.Errorf("a program that imports %s: %w", m.Version, err)
			}
		}
		fmt.Fprint(out, said)
		tags = append(tags, m.tag())
	}
	if !slices.Contains(names, "LICENSE") {
		fmt.Fprintln(out, "release-check: note: there is no LICENSE, without which pkg.go.dev shows no documentation")
	}
	fmt.Fprintf(out, "release-check: passed: %s can be released as %s\n", version, strings.Join(tags, ", then "))
	return nil
}

// environment returns that of a stranger's go command, to whom the version is as good as published:
// no workspace, no module cache, no settings. What is in the cache of whoever runs this is taken from
// there, the rest from their proxy.
func environment(ctx context.Context, repository, work string, p proxy, root string) ([]string, error) {
	names := []string{"GOPROXY", "GOSUMDB", "GONOSUMDB", "GOMODCACHE", "GOTOOLCHAIN"}
	out, err := command(ctx, repository, nil, "go", append([]string{"env"}, names...)...)
	if err != nil {
		return nil, err
	}
	mine := make(map[string]string)
	for i, value := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		mine[names[i]] = value
	}
	proxies := "file://" + filepath.ToSlash(string(p))
	if mine["GOPROXY"] != "off" {
		proxies += ",file://" + filepath.ToSlash(filepath.Join(mine["GOMODCACHE"], "cache", "download"))
	}
	return append(os.Environ(),
		"GOENV=off",
		"GOWORK=off",
		"GOPROXY="+proxies+","+mine["GOPROXY"],
		"GOPRIVATE=", "GONOPROXY=",
		"GONOSUMDB="+strings.Trim(root+","+mine["GONOSUMDB"], ","), // the checksum database doesn't know it yet
		"GOSUMDB="+mine["GOSUMDB"],
		"GOTOOLCHAIN="+mine["GOTOOLCHAIN"],
		"GOMODCACHE="+filepath.Join(work, "cache"),
		// Without directories in what is compiled, so that it is found in the build cache the next time.
		"GOFLAGS=-mod=mod -modcacherw -trimpath",
	), nil
}

// alone unpacks m into dir, and sees that it is tidy there, its tests included, and that it compiles.
func alone(ctx context.Context, m mod, all []mod, p proxy, dir string, env []string) error {
	at, err := p.at(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := zip.Unzip(dir, m.Version, at+".zip"); err != nil {
		return err
	}
	// Its go.sum can't have the lines of what is released along with it.
	if err := addSums(filepath.Join(dir, "go.sum"), m, all, p); err != nil {
		return err
	}
	if _, err := command(ctx, dir, env, "go", "mod", "tidy", "-diff"); err != nil {
		return err
	}
	_, err = command(ctx, dir, env, "go", "build", "./...")
	return err
}

// addSums puts those lines into m's go.sum, in place of any that it has.
func addSums(name string, m mod, all []mod, p proxy) error {
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	lines := slices.Collect(strings.Lines(string(data)))
	for _, other := range all {
		if !slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod == other.Version }) {
			continue
		}
		sums, err := p.sums(other)
		if err != nil {
			return err
		}
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, other.Path+" ") })
		lines = append(lines, slices.Collect(strings.Lines(sums))...)
	}
	if len(lines) == 0 {
		return nil
	}
	slices.Sort(lines)
	return os.WriteFile(name, []byte(strings.Join(lines, "")), 0o666)
}

// use gets m into a copy of a program, in dir, and builds and runs it. It returns what that says.
func use(ctx context.Context, m mod, program, dir string, env []string) (string, error) {
	if err := os.CopyFS(dir, os.DirFS(program)); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"get", m.Version.String()}, {"mod", "tidy"}} {
		if _, err := command(ctx, dir, env, "go", args...); err != nil {
			return "", err
		}
	}
	goMod, goSum, err := sources(dir)
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse("go.mod", goMod, nil)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(file.Require, func(r *modfile.Require) bool { return r.Mod == m.Version }) || len(file.Replace) > 0 {
		return "", fmt.Errorf("it must import that, and replace nothing; its go.mod:\n%s", goMod)
	}
	binary := filepath.Join(dir, "program")
	for _, args := range [][]string{{"build", "-o", binary, "."}, {"vet", "./..."}, {"mod", "tidy"}} {
		if _, err := command(ctx, dir, env, "go", args...); err != nil {
			return "", err
		}
		mod, sum, err := sources(dir)
		if err != nil {
			return "", err
		}
		if !bytes.Equal(mod, goMod) || !bytes.Equal(sum, goSum) {
			return "", fmt.Errorf("go %s changes its go.mod or go.sum:\n%s", strings.Join(args, " "), mod)
		}
	}
	return command(ctx, dir, nil, binary)
}

// install installs a command into bin as a stranger does, in no module, and runs it. What it says has to have
// its version.
func install(ctx context.Context, m mod, args []string, bin string, env []string) (string, error) {
	if err := os.MkdirAll(bin, 0o777); err != nil {
		return "", err
	}
	if _, err := command(ctx, bin, append(env, "GOBIN="+bin), "go", "install", m.Version.String()); err != nil {
		return "", err
	}
	said, err := command(ctx, bin, nil, filepath.Join(bin, path.Base(m.Path)), args...)
	if err == nil && !strings.Contains(said, m.Version.Version) {
		err = fmt.Errorf("it doesn't say that it is %s:\n%s", m.Version.Version, said)
	}
	return said, err
}

// sources returns what dir's go.mod and go.sum hold.
func sources(dir string) (goMod, goSum []byte, err error) {
	goMod, err = os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, nil, err
	}
	goSum, err = os.ReadFile(filepath.Join(dir, "go.sum"))
	return goMod, goSum, err
}

// network is what the go command says where a network has failed, and not what it was asked for.
var network = regexp.MustCompile(`dial tcp|i/o timeout|connection reset|TLS handshake|unexpected EOF|50[234] [A-Z]`)

// command runs a command in dir, and returns what it prints; its error holds all that it said. A nil
// env is this process's. Where a network has failed the go command, it runs once more.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	said, err := once(ctx, dir, env, name, args...)
	if err != nil && name == "go" && ctx.Err() == nil && network.MatchString(err.Error()) {
		said, err = once(ctx, dir, env, name, args...)
	}
	return said, err
}

func once(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took more than %v", patience))
	defer cancel()
	var out, errs strings.Builder
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, env, &out, &errs
	c.WaitDelay = time.Second
	if err := c.Run(); err != nil {
		line := strings.Join(append([]string{filepath.Base(name)}, args...), " ")
		return "", fmt.Errorf("%s: %w\n%s", line, cmp.Or(context.Cause(ctx), err), strings.TrimSpace(errs.String()+out.String()))
	}
	return out.String(), nil
}
