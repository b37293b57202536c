package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// A proxy is a directory that the go command takes for a module proxy, as file://…
// See https://go.dev/ref/mod#goproxy-protocol.
type proxy string

// at is where the files of m's version are, but for their ending.
func (p proxy) at(m mod) (string, error) {
	escapedPath, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	escapedVersion, err := module.EscapeVersion(m.Version.Version)
	if err != nil {
		return "", err
	}
	return filepath.Join(string(p), filepath.FromSlash(escapedPath), "@v", escapedVersion), nil
}

// add publishes m, of the tracked files of a repository.
func (p proxy) add(m mod, repository string, tracked []string) error {
	at, err := p.at(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	goMod, err := os.ReadFile(filepath.Join(repository, m.dir, "go.mod"))
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": m.Version.Version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	files, err := m.files(repository, tracked)
	if err != nil {
		return err
	}
	out, err := os.Create(at + ".zip")
	if err != nil {
		return err
	}
	if err := zip.Create(out, m.Version, files); err != nil {
		return errors.Join(fmt.Errorf("the zip of %s: %w", m.Version, err), out.Close())
	}
	return errors.Join(
		out.Close(),
		os.WriteFile(at+".mod", goMod, 0o666),
		os.WriteFile(at+".info", info, 0o666),
		os.WriteFile(filepath.Join(filepath.Dir(at), "list"), []byte(m.Version.Version+"\n"), 0o666),
	)
}

// sums returns m's lines of a go.sum.
func (p proxy) sums(m mod) (string, error) {
	at, err := p.at(m)
	if err != nil {
		return "", err
	}
	whole, err := dirhash.HashZip(at+".zip", dirhash.Hash1)
	if err != nil {
		return "", err
	}
	goMod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(at + ".mod") })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%[1]s %[2]s %[3]s\n%[1]s %[2]s/go.mod %[4]s\n", m.Path, m.Version.Version, whole, goMod), nil
}

// A file is one of a module's, as package zip wants it.
type file struct{ inModule, onDisk string }

func (f file) Path() string                 { return f.inModule }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(f.onDisk) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.onDisk) }

// files returns the tracked files that belong to m, and to none of the modules in directories below.
// A license at the repository's root is each module's, as for the go command.
func (m mod) files(repository string, tracked []string) ([]zip.File, error) {
	prefix := ""
	if m.dir != "." {
		prefix = m.dir + "/"
	}
	var nested []string
	for _, name := range tracked {
		if dir := path.Dir(name) + "/"; path.Base(name) == "go.mod" && dir != prefix && strings.HasPrefix(dir, prefix) && dir != "./" {
			nested = append(nested, dir)
		}
	}
	var files []zip.File
	var faults []error
	for _, name := range tracked {
		inModule, isBelow := strings.CutPrefix(name, prefix)
		if !isBelow || slices.ContainsFunc(nested, func(dir string) bool { return strings.HasPrefix(name, dir) }) {
			continue
		}
		f := file{inModule, filepath.Join(repository, filepath.FromSlash(name))}
		info, err := f.Lstat()
		switch {
		case err != nil:
			faults = append(faults, err)
		case !info.Mode().IsRegular():
			// The go command would leave it out and say nothing.
			faults = append(faults, fmt.Errorf("the zip of %s: %s is no regular file, and can't be in it", m.Version, name))
		}
		files = append(files, f)
	}
	const license = "LICENSE"
	if m.dir != "." && slices.Contains(tracked, license) && !slices.Contains(tracked, prefix+license) {
		files = append(files, file{license, filepath.Join(repository, license)})
	}
	return files, errors.Join(faults...)
}
