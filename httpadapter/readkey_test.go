package httpadapter

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
)

// a key or an outcome
type verdict struct {
	key   string
	fault dialect.Outcome
}

func judge(key string, err error) verdict {
	if ke, ok := errors.AsType[*dialect.KeyError](err); ok {
		return verdict{key, ke.Outcome}
	}
	return verdict{key: key}
}

func TestReadKey(t *testing.T) {
	const main, alias, third = "Idempotency-Key", "X-Idempotency-Key", "Request-Key"
	for _, tt := range []struct {
		name   string
		header http.Header
		want   verdict
		at     string
	}{
		{"none", http.Header{"Other": {"abc"}}, verdict{fault: dialect.KeyMissing}, main},
		{"main", http.Header{main: {"abc"}}, verdict{key: "abc"}, main},
		{"alias", http.Header{alias: {"abc"}}, verdict{key: "abc"}, alias},
		{"both agree", http.Header{alias: {"abc"}, main: {"abc"}}, verdict{key: "abc"}, main},
		{"both agree once parsed", http.Header{alias: {`"abc";v=1`}, main: {"abc"}}, verdict{key: "abc"}, main},
		{"both disagree", http.Header{alias: {"abd"}, main: {"abc"}}, verdict{fault: dialect.KeyRepeated}, alias},
		{"third disagrees", http.Header{alias: {"abc"}, main: {"abc"}, third: {"x"}}, verdict{fault: dialect.KeyRepeated}, third},
		{"case matters", http.Header{alias: {"ABC"}, main: {"abc"}}, verdict{fault: dialect.KeyRepeated}, alias},
		{"alias malformed", http.Header{alias: {"a b"}, main: {"abc"}}, verdict{fault: dialect.KeyMalformed}, alias},
		{"alias empty", http.Header{alias: {""}, main: {"abc"}}, verdict{fault: dialect.KeyMalformed}, alias},
		{"main malformed", http.Header{alias: {"abc"}, main: {`"abc`}}, verdict{fault: dialect.KeyMalformed}, main},
		{"alias repeated", http.Header{alias: {"abc", "abc"}, main: {"abc"}}, verdict{fault: dialect.KeyRepeated}, alias},
		{"alias too long", http.Header{alias: {strings.Repeat("a", 256)}}, verdict{fault: dialect.KeyTooLong}, alias},
		{"no lines", http.Header{main: {}, alias: {"abc"}}, verdict{key: "abc"}, alias},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, header, err := readKey(tt.header, []string{main, alias, third}, dialect.Lenient)
			if got := judge(key, err); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if ke, ok := errors.AsType[*dialect.KeyError](err); ok {
				if header != "" {
					t.Errorf("header %q beside an error", header)
				}
				header = ke.Header
			}
			if header != tt.at {
				t.Errorf("header %q, want %q", header, tt.at)
			}
		})
	}
}

func TestReadKeyText(t *testing.T) {
	_, _, err := readKey(http.Header{"Idempotency-Key": {"sesame street"}}, []string{"Idempotency-Key"}, dialect.BlueSnap{}.Syntax())
	want := "dialect: Idempotency-Key is malformed: want 1 to 64 characters of A-Z a-z 0-9 -"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestReadKeyAllocates(t *testing.T) {
	const uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324"
	h := http.Header{"Idempotency-Key": {uuid}, "X-Idempotency-Key": {`"` + uuid + `"`}}
	names := []string{"Idempotency-Key", "X-Idempotency-Key"}
	if n := testing.AllocsPerRun(100, func() { readKey(h, names, dialect.Lenient) }); n != 0 {
		t.Errorf("readKey: %v allocations, want 0", n)
	}
}

func TestProblemAlias(t *testing.T) {
	names := []string{"Idempotency-Key", "X-Idempotency-Key"}
	_, _, err := readKey(map[string][]string{names[0]: {"a"}, names[1]: {"b"}}, names, dialect.Lenient)
	ke := err.(*dialect.KeyError)
	got := dialect.Problem{}.Render(ke.Outcome, dialect.Info{Header: ke.Header, Want: ke.Want})
	want := "A second key was sent in the header X-Idempotency-Key. Accepted: the same key as in Idempotency-Key."
	if !strings.Contains(string(got.Body), `"detail":"`+want+`"`) {
		t.Errorf("got %s, want %s", got.Body, want)
	}
}
