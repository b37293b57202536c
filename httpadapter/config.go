package httpadapter

import (
	"bytes"
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/field"
	"github.com/reprise-go/reprise/internal/method"
	"github.com/reprise-go/reprise/replay"
)

// Config of an Adapter. The zero value of each field but Scope is its default.
type Config struct {
	// Scope says whose key it is. There is no default: choose ScopeHeader, ScopeFunc or
	// GlobalScope.
	Scope Scope

	// Dialect is how the API talks of idempotency. Nil means the one that DialectName names.
	Dialect dialect.Dialect

	// DialectName is the Dialect where that is nil: problem, ietf, credicorp, bluesnap or stripe,
	// ready-made as dialect.Problem, dialect.IETF and so on. Zero means "problem". Beside a Dialect of
	// your own it is what replay.Trace calls that.
	DialectName string

	// RequireKey answers 400 to a request without a key. Zero (false) lets it pass unprotected.
	RequireKey bool

	// Methods take part; others pass. Zero means POST and PATCH. Methods are case-sensitive
	// (RFC 9110 §9.1): post is not POST, and not accepted. Nor are GET, HEAD, OPTIONS and TRACE,
	// which are safe to repeat as they are.
	Methods []string

	// Headers may carry the key; several in one request must agree. Zero means Idempotency-Key.
	Headers []string

	// Syntax is what keys look like. Zero means as the dialect says: dialect.Lenient, for
	// dialect.Problem.
	Syntax dialect.KeySyntax

	// MaxBody and MaxResponse bound in bytes a request's body, which is read whole, and the body of
	// an answer that is kept. Zero means 1 MiB each; at most 256 MiB. Beside its body, a record has
	// 256 KiB of headers and trailers, and 4,096 names and values. It must also fit
	// cache.Config.MaxDecoded. A larger answer is given, and not kept; a record of one, written by a
	// machine of a higher limit, is not given: retries of both get
	// dialect.ReplayUnavailable.
	MaxBody     int64
	MaxResponse int64

	// RetryAfter is what a client is told to wait for a request in progress, or for Redis. Zero
	// means 1 s; 1 s to 30 s, in whole seconds on the wire.
	RetryAfter time.Duration

	// Fingerprint is what tells requests apart that share a key.
	Fingerprint Fingerprint

	// OnStoreDown is what happens while Redis can't be asked. Zero means as the engine says.
	OnStoreDown replay.StoreDownPolicy

	// Wait, OnAbandoned and OnFailure are for a route that differs from its engine (see
	// Adapter.Route). Zero means as the engine says; replay.NoWait is no time at all.
	Wait        time.Duration
	OnAbandoned replay.AbandonedPolicy
	OnFailure   replay.FailurePolicy

	// PreferWait bounds the wait that a client may choose for itself by Prefer: wait=N, in seconds
	// (RFC 7240 §4.3), in place of Wait. Zero means that Prefer is not heeded; at most 1 h.
	PreferWait time.Duration

	// Stores is which answers are stored. Zero means as the dialect says. What says "again" is no result
	// and is stored under no policy, StoresFunc's included: a 4xx or 5xx with Retry-After, Retry-After-Ms,
	// X-Should-Retry: true or Stripe-Should-Retry: true, or one by which another service says, in the
	// words of any dialect, that the key is in progress there or that it can't look.
	Stores StorePolicy

	// StoresFunc, if not nil, decides instead, from the status and the headers.
	StoresFunc func(status int, header http.Header) bool

	// TTL2xx to TTL5xx are how long answers of a class are kept. Zero means the engine's Retention.
	TTL2xx time.Duration
	TTL3xx time.Duration
	TTL4xx time.Duration
	TTL5xx time.Duration

	// TTLFunc, if not nil, is asked first; 0 leaves it to the class.
	TTLFunc func(status int, header http.Header) time.Duration

	// Authorize, if not nil, says whether the one who asks may learn anything of a key that has been
	// used: its answer, that another request has it, that it is in progress, or that its outcome is
	// unknown. It is asked once, before all of these and before another attempt; not about a free key,
	// whose handler decides for itself. The request's body has been read. See replay.Request.
	Authorize func(*http.Request) Authorization

	// Reconcile decides for the engine's AskReconcile policy. With replay.Done, what it wrote
	// is the answer: stored, given, and replayed. Otherwise it writes nothing.
	Reconcile func(http.ResponseWriter, *http.Request) replay.Decision

	// AllowHeaders and DenyHeaders are response headers that records keep or leave out, beyond the
	// built-in list, HeadersLeftOut; "X-Internal-*" stands for all that begin so. No list lets a replay's
	// markers in, whichever dialect's: Idempotency-Replayed, Idempotent-Replayed and Idempotency-Key.
	AllowHeaders []string
	DenyHeaders  []string

	// AttemptHeader has every fresh answer say by the header Idempotency-Attempt which attempt it is
	// of. From 2 on an earlier attempt failed or died. Zero (false) says nothing.
	AttemptHeader bool

	// DocURL is a page on the API's idempotency, which errors link to. Zero means none.
	DocURL string

	// Message, if not nil, rewords or translates what an error says to people; "" leaves the
	// dialect's words. Codes, types and titles stay. It must not repeat the request's key, which may
	// be invalid.
	Message func(dialect.Outcome, *http.Request) string

	// RequestID, if not nil, names the request in the errors of a dialect that has a place for it:
	// Credicorp's request_id, Stripe's Request-Id, the instance of a dialect.Problem with an
	// InstanceBase. "" leaves it out.
	RequestID func(*http.Request) string

	// Route, if not nil, is what replay.Trace calls a request's route: one of a few names, and nothing
	// of the client's. Nil means the path of the pattern by which http.ServeMux has found the handler,
	// as for the attribute http.route of OpenTelemetry; so it is needed with other routers, or around a
	// mux.
	Route func(*http.Request) string

	// Logger gets faults that the client is not told of. Nil discards.
	Logger *slog.Logger
}

// An Authorization says whether the one who asks may learn anything of a key that has been used.
type Authorization uint8

const (
	Allow  Authorization = iota
	Forbid               // 403, whatever the key's state
	Hide                 // 404, with nothing that tells it from any other: see dialect.Dialect
)

// A ConfigError is a setting that isn't accepted: its name, its value and what is accepted. Its
// fields are the strings Name, Value, Want and Other, the second setting of a rule across two.
type ConfigError = config.Error

// Settings has a row for each field of c that FromEnv reads or that has a rule of its own: its
// variable, its default, and what is accepted.
func (c *Config) Settings() config.Settings {
	const maxLimit int64 = 256 << 20
	retention := config.Between(time.Second, config.TenYears)
	isDialect := func(name string) bool { return c.Dialect != nil || dialect.Named(name) != nil }
	return slices.Concat(config.Settings{
		config.String("HTTP_DIALECT", "DialectName", &c.DialectName).Means("`" + dialect.Names()[0] + "`").
			Accept(config.Only(config.OneOf(dialect.Names()), isDialect)),
		config.Bool("HTTP_REQUIRE_KEY", "RequireKey", &c.RequireKey),
		config.List("HTTP_METHODS", "Methods", &c.Methods).Default(method.Default()).
			Accept(config.Each(method.Want, method.IsUnsafe, nil)),
		config.List("HTTP_KEY_HEADERS", "Headers", &c.Headers).Default([]string{dialect.KeyHeader}).
			Accept(config.Each(field.WantOfRequest, field.IsOfRequest, http.CanonicalHeaderKey)),
		config.Text("HTTP_KEY_SYNTAX", "Syntax", &c.Syntax).Means("as the dialect"),
		config.Size("HTTP_MAX_BODY", "MaxBody", &c.MaxBody).Default(1 << 20).Accept(config.Between(1, maxLimit)),
		config.Size("HTTP_MAX_RESPONSE", "MaxResponse", &c.MaxResponse).Default(1 << 20).Accept(config.Between(1, maxLimit)),
		config.Duration("HTTP_RETRY_AFTER", "RetryAfter", &c.RetryAfter).Default(time.Second).
			Accept(config.Between(time.Second, 30*time.Second)),
	}, c.Fingerprint.settings().In("Fingerprint"), config.Settings{
		config.Duration("", "Wait", &c.Wait).Accept(config.OrOff(config.Between(0, config.MaxWait))),
		config.Duration("HTTP_PREFER_WAIT", "PreferWait", &c.PreferWait).Means("ignored").Accept(config.Between(0, config.MaxWait)),
		config.Word("", "OnAbandoned", &c.OnAbandoned),
		config.Word("", "OnFailure", &c.OnFailure),
		config.Word("HTTP_ON_STORE_DOWN", "OnStoreDown", &c.OnStoreDown).Means("as the engine"),
		config.Word("HTTP_STORES", "Stores", &c.Stores).Default(StoreAsDialect),
		config.Duration("REPLAY_TTL_2XX", "TTL2xx", &c.TTL2xx).Means("as `REPLAY_TTL`").Accept(retention),
		config.Duration("REPLAY_TTL_3XX", "TTL3xx", &c.TTL3xx).Means("as `REPLAY_TTL`").Accept(retention),
		config.Duration("REPLAY_TTL_4XX", "TTL4xx", &c.TTL4xx).Means("as `REPLAY_TTL`").Accept(retention),
		config.Duration("REPLAY_TTL_5XX", "TTL5xx", &c.TTL5xx).Means("as `REPLAY_TTL`").Accept(retention),
		config.List("HTTP_ALLOW_HEADERS", "AllowHeaders", &c.AllowHeaders).
			Accept(config.Each(wantAllow, func(h string) bool { return canFilter([]string{h}, nil) }, http.CanonicalHeaderKey)),
		config.List("HTTP_DENY_HEADERS", "DenyHeaders", &c.DenyHeaders).
			Accept(config.Each(wantDeny, func(h string) bool { return canFilter(nil, []string{h}) }, http.CanonicalHeaderKey)),
		config.Bool("HTTP_ATTEMPT_HEADER", "AttemptHeader", &c.AttemptHeader),
		config.String("HTTP_DOC_URL", "DocURL", &c.DocURL).Accept(config.Only("an absolute URL", isLink)),
	})
}

const (
	wantAllow = "header names that aren't made anew for each answer, or beginnings with an asterisk after them, each once"
	wantDeny  = "header names, or beginnings with an asterisk after them, each once"
)

// canFilter reports whether lists of response headers are well-formed and agree. New has yet to add
// the marker of a dialect of the operator's own.
func canFilter(allow, deny []string) bool {
	_, err := newHeaderFilter(allow, deny, nil)
	return err == nil
}

// isLink reports whether s is an absolute URL that can't leave the angle brackets of a Link header.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && !strings.ContainsAny(s, "<>\" ")
}

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	if c.Dialect == nil {
		c.Dialect = dialect.Named(c.DialectName)
	}
	if c.Syntax == (dialect.KeySyntax{}) && c.Dialect != nil {
		c.Syntax = c.Dialect.Syntax()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Settings().SetDefaults()
	return c
}

// dialectName is what replay.Trace calls the dialect: by the name that a ready-made one has.
func (c *Config) dialectName() string {
	if c.Dialect == nil {
		return cmp.Or(c.DialectName, dialect.Names()[0])
	}
	for _, name := range dialect.Names() {
		if reflect.TypeOf(c.Dialect) == reflect.TypeOf(dialect.Named(name)) {
			return name
		}
	}
	return cmp.Or(c.DialectName, "custom")
}

// clone returns c with lists of its own.
func (c Config) clone() Config {
	for _, list := range []*[]string{&c.Methods, &c.Headers, &c.AllowHeaders, &c.DenyHeaders, &c.Fingerprint.Omit, &c.Fingerprint.Headers} {
		*list = slices.Clone(*list)
	}
	c.Fingerprint.Keys = slices.Clone(c.Fingerprint.Keys)
	for i, key := range c.Fingerprint.Keys {
		c.Fingerprint.Keys[i] = bytes.Clone(key)
	}
	return c
}

// Validate returns every fault of c at once, each a *ConfigError, but not that Scope is missing:
// the environment can't give one.
func (c Config) Validate() error {
	var f config.Faults
	f.CheckEach(c.Settings())
	f.Check(f.Has("AllowHeaders") || f.Has("DenyHeaders") || canFilter(c.AllowHeaders, c.DenyHeaders),
		"DenyHeaders", strings.Join(c.DenyHeaders, ","), "header names that aren't allowed", "AllowHeaders")
	return f.Err()
}

// FromEnv reads the variables of [Config.Settings], HTTP_DIALECT and so on, each behind prefix
// (conventionally "REPRISE_"), from environ, which has the form of [os.Environ]; docs/settings.md has
// their table. The error has every fault at once, each a *ConfigError with the variable's name and
// what it accepts; the Config is then zero.
func FromEnv(prefix string, environ []string) (Config, error) {
	return config.FromEnv[Config](prefix, environ)
}
