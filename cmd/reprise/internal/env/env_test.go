package env_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/cmd/reprise/internal/env"
)

// What the program says of the settings is what the page says.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("settings.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `REPRISE_") {
			want.WriteString(line)
		}
	}
	if string(kept) != want.String() {
		t.Error("settings.md isn't the table of docs/settings.md any more: go generate ./cmd/reprise/internal/env")
	}
}

func get(t *testing.T, name string, reveal bool, environ ...string) env.Variable {
	t.Helper()
	all := env.Read("X_", environ, reveal)
	if i := slices.IndexFunc(all, func(v env.Variable) bool { return v.Name == name }); i >= 0 {
		return all[i]
	}
	t.Fatalf("there is no %s", name)
	return env.Variable{}
}

func TestVariable(t *testing.T) {
	got := get(t, "X_LOCK_TTL", false)
	if got.Set || got.Default != "15s" || got.Meaning != "the lease: how long a holder that died blocks its key" || got.Fault != "" {
		t.Errorf("got %+v", got)
	}
	if got = get(t, "X_LOCK_TTL", false, "X_LOCK_TTL=1m"); !got.Set || got.Value != "1m" || got.Fault != "" {
		t.Errorf("got %+v", got)
	}
	if got = get(t, "X_REPLAY_TTL_4XX", false); got.Default != "as REPLAY_TTL" || got.Meaning != "the same, per class of status" {
		t.Errorf("got %+v", got)
	}
}

// Each package finds the faults of its variables, and rules across two are told, too.
func TestFaults(t *testing.T) {
	for variable, want := range map[string]string{
		"X_LOCK_TTL=soon":                "want a duration above 0, such as 250ms, 15s or 1h30m",
		"X_LOCK_TIMEOUT=1h":              "want more than 0 and at most half of TTL (see X_LOCK_TTL)",
		"X_HTTP_DIALECT=acme":            "want one of problem, ietf, credicorp, bluesnap, stripe",
		"X_GRPC_STORES=some":             "want one of final, success, all",
		"X_EFFECT_DIALECT=oracle":        "want one of postgres, mysql, sqlite",
		"X_REDIS_URL=localhost":          "got a URL without a scheme, want redis://[user:password@]host:port[/db], rediss:// for TLS, unix:///path/to/socket, nodes of a cluster as redis://host:port,redis://host:port, or redis+sentinel://host:port,host:port/name",
		"X_BOARD_TOKEN=short":            "want at least 16 bytes",
		"X_REPLAY_TTTL=1h":               "nothing reads it: did you mean X_REPLAY_TTL?",
		"X_SOMETHING_ELSE=1":             "nothing reads it",
		"X_CACHE_SEAL_KEYS=bm90IGEga2V5": "want",
	} {
		name, _, _ := strings.Cut(variable, "=")
		if got := get(t, name, false, variable).Fault; got != want && (want != "want" || got == "") {
			t.Errorf("%s: got %q, want %q", variable, got, want)
		}
	}
	// Effects are for some programs, and have a variable without a default.
	for _, v := range env.Read("X_", nil, false) {
		if v.Fault != "" {
			t.Errorf("nothing is set, and %s is at fault: %s", v.Name, v.Fault)
		}
	}
	if got := get(t, "X_EFFECT_DIALECT", false, "X_EFFECT_TABLE=t").Fault; got == "" {
		t.Error("the table of effects has no dialect, and nobody says so")
	}
}

func TestSecretsAreHidden(t *testing.T) {
	const secret = "MDEyMzQ1Njc4OWFiY2RlZg=="
	environ := []string{
		"X_CACHE_SEAL_KEYS=" + secret, "X_HTTP_FINGERPRINT_KEYS=" + secret,
		"X_REDIS_URL=redis://app:" + secret[:10] + "@h:6379", "X_SEAL_KEYS=" + secret, // misspelt
	}
	for _, v := range env.Read("X_", environ, false) {
		if strings.Contains(v.Value+v.Fault, secret[:10]) {
			t.Errorf("%s shows %q, %q", v.Name, v.Value, v.Fault)
		}
	}
	if got := get(t, "X_REDIS_URL", false, environ...).Value; got != "redis://app:***@h:6379" {
		t.Errorf("got %s", got)
	}
	if got := get(t, "X_CACHE_SEAL_KEYS", true, environ...).Value; got != secret {
		t.Errorf("revealed %s", got)
	}
}
