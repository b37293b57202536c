package grpcadapter

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/envconf"
	"github.com/reprise-go/reprise/replay"
)

// Config of an Adapter. The zero value of each field but Scope is its default.
type Config struct {
	// Scope says whose key it is. There is no default: choose ScopeMetadata, ScopeFunc or
	// GlobalScope.
	Scope Scope `env:"-"`

	// RequireKey answers INVALID_ARGUMENT to a call without a key. Zero (false) lets it pass
	// unprotected. A service that has methods which only read wants Methods with it.
	RequireKey bool `env:"GRPC_REQUIRE_KEY"`

	// Methods take part; others pass. Each is a full name, /package.Service/Method, or all of a
	// service, /package.Service/*. Zero means every unary method.
	Methods []string `env:"GRPC_METHODS" want:"/package.Service/Method or /package.Service/*, each once, separated by commas"`

	// MethodFunc, if not nil, decides instead, from the full name.
	MethodFunc func(fullMethod string) bool `env:"-"`

	// KeyMetadata is the metadata that carries the key. Zero means idempotency-key. Not accepted is what
	// gRPC or HTTP/2 fill in themselves: grpc-*, te, user-agent, content-type, host and the like.
	KeyMetadata string `env:"GRPC_KEY_METADATA" want:"a metadata key that is not gRPC's own, such as grpc-x, te or user-agent, and does not end in -bin"`

	// Syntax is what keys look like. Zero means dialect.Lenient: a client that calls an API
	// through both doors need not write one key in two ways.
	Syntax dialect.KeySyntax `env:"GRPC_KEY_SYNTAX" want:"lenient or strict"`

	// MaxResponse bounds in bytes the encoded message, or status, that is kept of an answer. Zero
	// means 1 MiB; at most 256 MiB. Beside it, a record has 256 KiB of metadata, and 4,096 keys and
	// values. It must also fit cache.Config.MaxDecoded. A larger answer is given, and not kept; a
	// record of one, written by a server of a higher limit, is not given: retries of both get
	// REPLAY_UNAVAILABLE. The request is bounded by grpc.MaxRecvMsgSize.
	MaxResponse int64 `env:"GRPC_MAX_RESPONSE" want:"a size from 1 to 256MiB"`

	// RetryAfter is what a client is told to wait for a call in flight, or for Redis. Zero means
	// 1 s; 1 ms to 30 s.
	RetryAfter time.Duration `env:"GRPC_RETRY_AFTER" want:"a duration from 1ms to 30s"`

	// OnStoreDown is what happens while Redis can't be asked. Zero means as the engine says.
	OnStoreDown replay.StoreDownPolicy `env:"GRPC_ON_STORE_DOWN"`

	// Wait, OnAbandoned and OnFailure are for methods that differ from their engine (see
	// Adapter.Route). Zero means as the engine says; replay.NoWait is no time at all.
	Wait        time.Duration          `env:"-"`
	OnAbandoned replay.AbandonedPolicy `env:"-"`
	OnFailure   replay.FailurePolicy   `env:"-"`

	// Stores is which answers are stored. Zero means StoreFinal. An error that says "again", by
	// google.rpc.RetryInfo or grpc-retry-pushback-ms, is no result and is stored under no policy,
	// StoresFunc's included.
	Stores StorePolicy `env:"GRPC_STORES"`

	// StoresFunc, if not nil, decides instead.
	StoresFunc func(codes.Code) bool `env:"-"`

	// TTLOK and TTLError are how long messages and errors are kept. Zero means the engine's
	// Retention; else 1 s to 10 years.
	TTLOK    time.Duration `env:"GRPC_TTL_OK"`
	TTLError time.Duration `env:"GRPC_TTL_ERROR"`

	// TTLFunc, if not nil, is asked first; 0 leaves it to the two above.
	TTLFunc func(codes.Code) time.Duration `env:"-"`

	// AllowMetadata and DenyMetadata are header and trailer metadata that records keep or leave out, beyond the
	// built-in list, MetadataLeftOut; "x-internal-*" stands for all that begin so. No list lets in what belongs to gRPC
	// itself or to one connection, nor a replay's markers.
	AllowMetadata []string `env:"GRPC_ALLOW_METADATA" want:"metadata keys that aren't made anew for each answer, or beginnings with an asterisk after them, each once, separated by commas"`
	DenyMetadata  []string `env:"GRPC_DENY_METADATA" want:"metadata keys, or beginnings with an asterisk after them, each once, separated by commas"`

	// Authorize, if not nil, says whether the one who asks may learn anything of a key that has been
	// used: its answer, that another call has it, that it is in flight, or that its outcome is unknown.
	// It is asked once, before all of these and before another attempt; not about a free key, whose
	// handler decides for itself. See replay.Request.
	Authorize func(ctx context.Context, req any, info *grpc.UnaryServerInfo) Authorization `env:"-"`

	// Reconcile decides for the engine's AskReconcile policy. With replay.Done, what it returns
	// is the answer as if a handler had returned it: stored, given, and replayed. Otherwise an error
	// refuses the call like replay.Undecided, and no message is looked at.
	Reconcile func(ctx context.Context, req any, info *grpc.UnaryServerInfo) (replay.Decision, any, error) `env:"-"`

	// Types finds the type of a stored message by its name. Nil means protoregistry.GlobalTypes,
	// which has all generated ones.
	Types protoregistry.MessageTypeResolver `env:"-"`

	// Logger gets faults that the client is not told of. Nil discards.
	Logger *slog.Logger `env:"-"`
}

// A StorePolicy is which answers are stored, by their code. Of what is not stored, the codes that
// say that the call was declined release the key, and the others abandon it: see the package's
// table.
type StorePolicy uint8

const (
	StoreFinal   StorePolicy = iota // "final": OK and the errors that the same call would meet again
	StoreSuccess                    // "success": OK
	StoreAll                        // "all": every answer
)

var storeWords = []string{"final", "success", "all"}

// UnmarshalText reads one of the words above.
func (p *StorePolicy) UnmarshalText(text []byte) error {
	i := slices.Index(storeWords, string(text))
	if i < 0 {
		return fmt.Errorf("one of %s", strings.Join(storeWords, ", "))
	}
	*p = StorePolicy(i)
	return nil
}

// An Authorization says whether the one who asks may learn anything of a key that has been used.
type Authorization uint8

const (
	Allow  Authorization = iota
	Forbid               // PERMISSION_DENIED, whatever the key's state
	Hide                 // NOT_FOUND, with nothing that tells it from a handler's
)

const (
	defaultKeyMetadata = "idempotency-key"
	defaultLimit       = 1 << 20
	maxLimit           = 256 << 20
	defaultRetryAfter  = time.Second
	maxWait            = time.Hour
	maxTTL             = 10 * 365 * 24 * time.Hour
)

const (
	wantAllow = "metadata keys that aren't made anew for each answer, or beginnings with an asterisk after them, each once"
	wantDeny  = "metadata keys, or beginnings with an asterisk after them, each once"
)

// ConfigError is one setting that isn't accepted: its name, the value and what is accepted.
type ConfigError = config.Error

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	c.KeyMetadata = orDefaultKey(c.KeyMetadata)
	if c.Syntax == (dialect.KeySyntax{}) {
		c.Syntax = dialect.Lenient
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = defaultLimit
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = defaultRetryAfter
	}
	if c.Types == nil {
		c.Types = protoregistry.GlobalTypes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// clone returns c with lists of its own.
func (c Config) clone() Config {
	for _, list := range []*[]string{&c.Methods, &c.AllowMetadata, &c.DenyMetadata} {
		*list = slices.Clone(*list)
	}
	return c
}

// Validate returns every fault of c at once, each a *ConfigError, but not that Scope is missing:
// the environment can't give one.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var f config.Faults
	checkCalls(&f, c.Methods, c.KeyMetadata)
	f.Check(c.MaxResponse > 0 && c.MaxResponse <= maxLimit, "MaxResponse", c.MaxResponse, "1 to 268435456 bytes", "")
	f.Check(c.RetryAfter >= time.Millisecond && c.RetryAfter <= 30*time.Second, "RetryAfter", c.RetryAfter, "1ms to 30s", "")
	f.Check(c.Wait >= replay.NoWait && c.Wait <= maxWait, "Wait", c.Wait, "0 to 1h, or replay.NoWait", "")
	f.Check(c.OnAbandoned <= replay.AskReconcile, "OnAbandoned", c.OnAbandoned, "one of its constants", "")
	f.Check(c.OnFailure <= replay.ReleaseFailed, "OnFailure", c.OnFailure, "one of its constants", "")
	f.Check(c.OnStoreDown <= replay.RunUnguarded, "OnStoreDown", c.OnStoreDown, "one of its constants", "")
	f.Check(c.Stores <= StoreAll, "Stores", c.Stores, "one of its constants", "")
	ttl := func(d time.Duration) bool { return d == 0 || d >= time.Second && d <= maxTTL }
	f.Check(ttl(c.TTLOK), "TTLOK", c.TTLOK, "1s to 87600h", "")
	f.Check(ttl(c.TTLError), "TTLError", c.TTLError, "1s to 87600h", "")
	valid := func(allow, deny []string) bool {
		_, err := newMetadataFilter(allow, deny)
		return err == nil
	}
	allows := func(key string) bool { return valid([]string{key}, nil) }
	denies := func(key string) bool { return valid(nil, []string{key}) }
	allowed := f.CheckEach("AllowMetadata", c.AllowMetadata, allows, strings.ToLower, wantAllow)
	denied := f.CheckEach("DenyMetadata", c.DenyMetadata, denies, strings.ToLower, wantDeny)
	f.Check(!allowed || !denied || valid(c.AllowMetadata, c.DenyMetadata), "DenyMetadata", strings.Join(c.DenyMetadata, ","),
		"metadata keys that aren't allowed", "AllowMetadata")
	return f.Err()
}

// checkCalls checks what servers and clients have in common: which calls, and where their key is.
func checkCalls(f *config.Faults, methods []string, keyMetadata string) {
	for i, m := range methods {
		good := isMethod(m) && !slices.Contains(methods[:i], m)
		f.Check(good, "Methods", cmp.Or(m, strings.Join(methods, ",")), "/package.Service/Method or /package.Service/*, each once", "")
	}
	f.Check(isKeyMetadata(keyMetadata), "KeyMetadata", keyMetadata, "a metadata key that is not gRPC's own, such as grpc-x, te or user-agent, and does not end in -bin", "")
}

func orDefaultKey(name string) string {
	if name == "" {
		return defaultKeyMetadata
	}
	return strings.ToLower(name) // as gRPC does with every metadata key
}

// isMethod accepts what can be a method's full name, and all of a service. Anything else would match no call, and leave
// all unprotected unnoticed: a blank from a list, an asterisk that stands for a part of a name.
func isMethod(m string) bool {
	parts := strings.Split(m, "/")
	if len(parts) != 3 || parts[0] != "" || parts[1] == "" || parts[2] == "" {
		return false
	}
	if parts[2] == "*" {
		parts[2] = ""
	}
	return !strings.ContainsFunc(parts[1]+parts[2], func(r rune) bool { return r <= ' ' || r > '~' || r == '*' })
}

// isKeyMetadata accepts a key of ASCII metadata that is not gRPC's own: that a client leaves out, or fills in itself, and
// calls would go without a key or all have one.
func isKeyMetadata(key string) bool {
	ours := func(pattern string) bool {
		prefix, wild := strings.CutSuffix(strings.ToLower(pattern), "*")
		return key == prefix || wild && strings.HasPrefix(key, prefix)
	}
	return isHeaderName(key) && key != "host" && !strings.HasSuffix(key, "-bin") && !slices.ContainsFunc(neverKept, ours)
}

// matches tells whether a full method name is one of methods, of which none means all.
func matches(methods []string, full string) bool {
	return len(methods) == 0 || slices.ContainsFunc(methods, func(m string) bool {
		service, all := strings.CutSuffix(m, "*")
		return m == full || all && strings.HasPrefix(full, service)
	})
}

// FromEnv reads the variables GRPC_REQUIRE_KEY, GRPC_METHODS, GRPC_KEY_METADATA, GRPC_KEY_SYNTAX
// (lenient, strict), GRPC_MAX_RESPONSE, GRPC_RETRY_AFTER, GRPC_ON_STORE_DOWN (refuse, run),
// GRPC_STORES (final, success, all), GRPC_TTL_OK, GRPC_TTL_ERROR, GRPC_ALLOW_METADATA and
// GRPC_DENY_METADATA, each behind prefix (by custom
// "REPRISE_"), from environ, which has the form of os.Environ(). It returns every fault at once.
func FromEnv(prefix string, environ []string) (Config, error) {
	var c Config
	err := envconf.Parse(prefix, environ, &c)
	return c, err
}
