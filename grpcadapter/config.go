package grpcadapter

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/replay"
)

// Config of an Adapter. The zero value of each field but Scope is its default.
type Config struct {
	// Scope says whose key it is. There is no default: choose ScopeMetadata, ScopeFunc or
	// GlobalScope.
	Scope Scope

	// RequireKey answers INVALID_ARGUMENT to a call without a key. Zero (false) lets it pass
	// unprotected. A service that has methods which only read wants Methods with it.
	RequireKey bool

	// Methods take part; others pass. Each is a full name, /package.Service/Method, or all of a
	// service, /package.Service/*. Zero means every unary method.
	Methods []string

	// MethodFunc, if not nil, decides instead, from the full name.
	MethodFunc func(fullMethod string) bool

	// KeyMetadata is the metadata that carries the key. Zero means idempotency-key. Not accepted is
	// what gRPC or HTTP/2 fill in themselves: grpc-*, te, user-agent, content-type, host and the
	// like.
	KeyMetadata string

	// Syntax is what keys look like. Zero means dialect.Lenient: a client that calls an API
	// by both protocols need not write one key in two ways.
	Syntax dialect.KeySyntax

	// MaxResponse bounds in bytes the encoded message, or status, that is kept of an answer. Zero
	// means 1 MiB; at most 256 MiB. Beside it, a record has 256 KiB of metadata, and 4,096 keys and
	// values. It must also fit cache.Config.MaxDecoded. A larger answer is given, and not kept; a
	// record of one, written by a server of a higher limit, is not given: retries of both get
	// REPLAY_UNAVAILABLE. The request is bounded by grpc.MaxRecvMsgSize.
	MaxResponse int64

	// RetryAfter is what a client is told to wait for a call in progress, or for Redis. Zero means
	// 1 s; 1 ms to 30 s.
	RetryAfter time.Duration

	// OnStoreDown is what happens while Redis can't be asked. Zero means as the engine says.
	OnStoreDown replay.StoreDownPolicy

	// Wait, OnAbandoned and OnFailure are for methods that differ from their engine (see
	// Adapter.Route). Zero means as the engine says; replay.NoWait is no time at all.
	Wait        time.Duration
	OnAbandoned replay.AbandonedPolicy
	OnFailure   replay.FailurePolicy

	// Stores is which answers are stored. Zero means StoreFinal. An error that says "again", by
	// google.rpc.RetryInfo or grpc-retry-pushback-ms, is no result and is stored under no policy,
	// StoresFunc's included.
	Stores StorePolicy

	// StoresFunc, if not nil, decides instead.
	StoresFunc func(codes.Code) bool

	// TTLOK and TTLError are how long messages and errors are kept. Zero means the engine's
	// Retention; else 1 s to 10 years.
	TTLOK    time.Duration
	TTLError time.Duration

	// TTLFunc, if not nil, is asked first; 0 leaves it to the two above.
	TTLFunc func(codes.Code) time.Duration

	// AllowMetadata and DenyMetadata are header and trailer metadata that records keep or leave out,
	// beyond the built-in list, MetadataLeftOut; "x-internal-*" stands for all that begin so. No list
	// lets in what belongs to gRPC itself or to one connection, nor a replay's markers.
	AllowMetadata []string
	DenyMetadata  []string

	// AttemptMetadata has every fresh answer say by the header metadata idempotency-attempt which
	// attempt it is of. From 2 on an earlier attempt failed or died. Zero (false) says nothing.
	AttemptMetadata bool

	// Authorize, if not nil, says whether the one who asks may learn anything of a key that has been
	// used: its answer, that another call has it, that it is in progress, or that its outcome is
	// unknown. It is asked once, before all of these and before another attempt; not about a free
	// key, whose handler decides for itself. See replay.Request.
	Authorize func(ctx context.Context, req any, info *grpc.UnaryServerInfo) Authorization

	// Reconcile decides for the engine's AskReconcile policy. With replay.Done, what it returns
	// is the answer as if a handler had returned it: stored, given, and replayed. Otherwise an error
	// refuses the call like replay.Undecided, and no message is looked at.
	Reconcile func(ctx context.Context, req any, info *grpc.UnaryServerInfo) (replay.Decision, any, error)

	// Types finds the type of a stored message by its name. Nil means protoregistry.GlobalTypes,
	// which has all generated ones.
	Types protoregistry.MessageTypeResolver

	// Logger gets faults that the client is not told of. Nil discards.
	Logger *slog.Logger
}

// An Authorization says whether the one who asks may learn anything of a key that has been used.
type Authorization uint8

const (
	Allow  Authorization = iota
	Forbid               // PERMISSION_DENIED, whatever the key's state
	Hide                 // NOT_FOUND, with nothing that tells it from a handler's
)

// A ConfigError is a setting that isn't accepted: its name, its value and what is accepted. Its
// fields are the strings Name, Value, Want and Other, the second setting of a rule across two.
type ConfigError = config.Error

// Settings has a row for each field of c that FromEnv reads or that has a rule of its own: its
// variable, its default, and what is accepted.
func (c *Config) Settings() config.Settings {
	retention := config.Between(time.Second, config.TenYears)
	return config.Settings{
		config.Bool("GRPC_REQUIRE_KEY", "RequireKey", &c.RequireKey),
		config.List("GRPC_METHODS", "Methods", &c.Methods).Means("all unary").Accept(methodsRule),
		config.String("GRPC_KEY_METADATA", "KeyMetadata", &c.KeyMetadata).Default(defaultKeyMetadata).Accept(keyMetadataRule),
		config.Text("GRPC_KEY_SYNTAX", "Syntax", &c.Syntax).Means("`lenient`"),
		config.Size("GRPC_MAX_RESPONSE", "MaxResponse", &c.MaxResponse).Default(1 << 20).
			Accept(config.Between[int64](1, 256<<20)),
		config.Duration("GRPC_RETRY_AFTER", "RetryAfter", &c.RetryAfter).Default(time.Second).
			Accept(config.Between(time.Millisecond, 30*time.Second)),
		config.Duration("", "Wait", &c.Wait).Accept(config.OrOff(config.Between(0, config.MaxWait))),
		config.Word("", "OnAbandoned", &c.OnAbandoned),
		config.Word("", "OnFailure", &c.OnFailure),
		config.Word("GRPC_ON_STORE_DOWN", "OnStoreDown", &c.OnStoreDown).Means("as the engine"),
		config.Word("GRPC_STORES", "Stores", &c.Stores).Default(StoreFinal),
		config.Duration("GRPC_TTL_OK", "TTLOK", &c.TTLOK).Means("as `REPLAY_TTL`").Accept(retention),
		config.Duration("GRPC_TTL_ERROR", "TTLError", &c.TTLError).Means("as `REPLAY_TTL`").Accept(retention),
		config.Bool("GRPC_ATTEMPT_METADATA", "AttemptMetadata", &c.AttemptMetadata),
		config.List("GRPC_ALLOW_METADATA", "AllowMetadata", &c.AllowMetadata).
			Accept(config.Each(wantAllow, func(key string) bool { return canFilter([]string{key}, nil) }, strings.ToLower)),
		config.List("GRPC_DENY_METADATA", "DenyMetadata", &c.DenyMetadata).
			Accept(config.Each(wantDeny, func(key string) bool { return canFilter(nil, []string{key}) }, strings.ToLower)),
	}
}

const (
	wantAllow = "metadata keys that aren't made anew for each answer, or beginnings with an asterisk after them, each once"
	wantDeny  = "metadata keys, or beginnings with an asterisk after them, each once"
)

// canFilter reports whether lists of metadata are well-formed and agree.
func canFilter(allow, deny []string) bool {
	_, err := newMetadataFilter(allow, deny)
	return err == nil
}

// Servers and clients have two settings in common: which calls take part, and where their key is.
var (
	methodsRule = config.Each("/package.Service/Method or /package.Service/*, each once", isMethod, nil)

	keyMetadataRule = config.Only("a metadata key that is not gRPC's own, such as grpc-x, te or user-agent, and does not end in -bin",
		func(key string) bool { return isKeyMetadata(strings.ToLower(key)) })
)

const defaultKeyMetadata = "idempotency-key"

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	c.Settings().SetDefaults()
	c.KeyMetadata = strings.ToLower(c.KeyMetadata) // as gRPC does with every metadata key
	if c.Syntax == (dialect.KeySyntax{}) {
		c.Syntax = dialect.Lenient
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
	var f config.Faults
	f.CheckEach(c.Settings())
	f.Check(f.Has("AllowMetadata") || f.Has("DenyMetadata") || canFilter(c.AllowMetadata, c.DenyMetadata),
		"DenyMetadata", strings.Join(c.DenyMetadata, ","), "metadata keys that aren't allowed", "AllowMetadata")
	return f.Err()
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

// FromEnv reads the variables of [Config.Settings], GRPC_METHODS and so on, each behind prefix
// (conventionally "REPRISE_"), from environ, which has the form of [os.Environ]; docs/settings.md has
// their table. The error has every fault at once, each a *ConfigError with the variable's name and
// what it accepts; the Config is then zero.
func FromEnv(prefix string, environ []string) (Config, error) {
	return config.FromEnv[Config](prefix, environ)
}
