package bubble

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sources returns package lock's scripts as it sends them, by name.
func sources(t *testing.T) map[string]string {
	t.Helper()
	read := func(name string) string {
		source, err := os.ReadFile(filepath.Join("..", "..", "lock", "script", name+".lua"))
		if err != nil {
			t.Fatal(err)
		}
		return string(source)
	}
	claim := read("claim")
	all := map[string]string{}
	for _, name := range []string{"begin", "renew", "commit", "release", "abandon"} {
		all[name] = claim + read(name)
	}
	return all
}

func digest(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// commands returns the names of the whole commands that b begins with, and their size. Those that
// only set a connection up have no name.
func (l *link) commands(b []byte) (names []string, size int) {
	for {
		args, n := command(b[size:])
		if n == 0 {
			return names, size
		}
		size += n
		switch name := strings.ToUpper(string(args[0])); name {
		case "HELLO", "AUTH", "CLIENT", "SELECT", "READONLY", "CLUSTER", "COMMAND":
		case "EVALSHA":
			names = append(names, l.script(string(args[1])))
		case "EVAL":
			names = append(names, "load "+l.script(digest(string(args[1]))))
		default:
			names = append(names, name)
		}
	}
}

func (l *link) script(digest string) string {
	if name, ok := l.names[digest]; ok {
		return name
	}
	return "script " + digest
}

// command parses one command, an array of bulk strings. The size is 0 if b doesn't hold all of it.
func command(b []byte) (args [][]byte, size int) {
	number := func(kind byte) (int, bool) {
		line, rest, found := bytes.Cut(b[size:], []byte("\r\n"))
		if !found {
			return 0, false
		}
		n, err := strconv.Atoi(string(line[1:]))
		if err != nil || line[0] != kind {
			panic("bubble: the client doesn't speak RESP: " + strconv.Quote(string(line)))
		}
		size = len(b) - len(rest)
		return n, true
	}
	count, ok := number('*')
	if !ok {
		return nil, 0
	}
	for range count {
		length, ok := number('$')
		if !ok || len(b) < size+length+2 {
			return nil, 0
		}
		args = append(args, b[size:size+length])
		size += length + 2
	}
	return args, size
}
