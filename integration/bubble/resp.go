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
	for _, name := range []string{"begin", "renew", "commit", "release", "abandon", "regain"} {
		all[name] = claim + read(name)
	}
	for _, name := range []string{"inspect", "act"} {
		all[name] = claim + read("look") + read(name)
	}
	return all
}

func digest(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// commands returns the whole commands that b begins with, and their size. Those that only set a
// connection up are left out.
func (l *link) commands(b []byte) (all []Command, size int) {
	for {
		args, n := command(b[size:])
		if n == 0 {
			return all, size
		}
		size += n
		switch name := strings.ToUpper(args[0]); name {
		case "HELLO", "AUTH", "CLIENT", "SELECT", "READONLY", "CLUSTER", "COMMAND":
		case "EVALSHA":
			all = append(all, Command{l.script(args[1]), args[3], args[4:]})
		case "EVAL":
			all = append(all, Command{"load " + l.script(digest(args[1])), args[3], args[4:]})
		default:
			c := Command{Name: name}
			if len(args) > 1 {
				c.Key = args[1]
			}
			all = append(all, c)
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
func command(b []byte) (args []string, size int) {
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
		args = append(args, string(b[size:size+length]))
		size += length + 2
	}
	return args, size
}
