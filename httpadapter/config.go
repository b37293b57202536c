package httpadapter

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/envconf"
	"github.com/reprise-go/reprise/internal/field"
	"github.com/reprise-go/reprise/internal/method"
	"github.com/reprise-go/reprise/replay"
)

// Config of an Adapter. The zero value of each field but Scope is its default.
type Config struct {
	// Scope says whose key it is. There is no default: choose ScopeHeader, ScopeFunc or
	// GlobalScope.
	Scope Scope `env:"-"`

	// Dialect is how the API talks of idempotency. Nil means the one that DialectName names.
	Dialect dialect.Dialect `env:"-"`

	// DialectName is the Dialect where that is nil: problem, ietf, credicorp, bluesnap or stripe,
	// ready-made as dialect.Problem, dialect.IETF and so on. Zero means "problem".
	DialectName string `env:"HTTP_DIALECT" want:"one of problem, ietf, credicorp, bluesnap, stripe"`

	// RequireKey answers 400 to a request without a key. Zero (false) lets it pass unprotected.
	RequireKey bool `env:"HTTP_REQUIRE_KEY"`

	// Methods take part; others pass. Zero means POST and PATCH. Methods are case-sensitive
	// (RFC 9110 §9.1): post is not POST, and not accepted. Nor are GET, HEAD, OPTIONS and TRACE,
	// which are safe to repeat as they are.
	Methods []string `env:"HTTP_METHODS" want:"methods in upper case other than GET, HEAD, OPTIONS and TRACE, each once, separated by commas"`

	// Headers may carry the key; several in one request must agree. Zero means Idempotency-Key.
	Headers []string `env:"HTTP_KEY_HEADERS" want:"names of request headers other than Host and those of one connection, each once, separated by commas"`

	// Syntax is what keys look like. Zero means as the dialect says: dialect.Lenient, for
	// dialect.Problem.
	Syntax dialect.KeySyntax `env:"HTTP_KEY_SYNTAX" want:"lenient or strict"`

	// MaxBody and MaxResponse bound in bytes a request's body, which is read whole, and the body of
	// an answer that is kept. Zero means 1 MiB each; at most 256 MiB. Beside its body, a record has
	// 256 KiB of headers and trailers, and 4,096 names and values. It must also fit
	// cache.Config.MaxDecoded. A larger answer is given, and not kept; a record of one, written by a
	// machine of a higher limit, is not given: retries of both get
	// dialect.ReplayUnavailable.
	MaxBody     int64 `env:"HTTP_MAX_BODY" want:"a size from 1 to 256MiB"`
	MaxResponse int64 `env:"HTTP_MAX_RESPONSE" want:"a size from 1 to 256MiB"`

	// RetryAfter is what a client is told to wait for a request in flight, or for Redis. Zero
	// means 1 s; 1 s to 30 s, in whole seconds on the wire.
	RetryAfter time.Duration `env:"HTTP_RETRY_AFTER" want:"a duration from 1s to 30s"`

	// Fingerprint is what tells requests apart that share a key.
	Fingerprint Fingerprint

	// OnStoreDown is what happens while Redis can't be asked. Zero means as the engine says.
	OnStoreDown replay.StoreDownPolicy `env:"HTTP_ON_STORE_DOWN"`

	// Wait, OnAbandoned and OnFailure are for a route that differs from its engine (see
	// Adapter.Route). Zero means as the engine says; replay.NoWait is no time at all.
	Wait        time.Duration          `env:"-"`
	OnAbandoned replay.AbandonedPolicy `env:"-"`
	OnFailure   replay.FailurePolicy   `env:"-"`

	// PreferWait bounds the wait that a client may choose for itself by Prefer: wait=N, in seconds
	// (RFC 7240 §4.3), in place of Wait. Zero means that Prefer is not heeded; at most 1 h.
	PreferWait time.Duration `env:"HTTP_PREFER_WAIT"`

	// Stores is which answers are stored. Zero means as the dialect says. What says "again" is no result
	// and is stored under no policy, StoresFunc's included: a 4xx or 5xx with Retry-After, Retry-After-Ms,
	// X-Should-Retry: true or Stripe-Should-Retry: true, or one by which another service says, in the
	// words of any dialect, that the key is in progress there or that it can't look.
	Stores StorePolicy `env:"HTTP_STORES"`

	// StoresFunc, if not nil, decides instead, from the status and the headers.
	StoresFunc func(status int, header http.Header) bool `env:"-"`

	// TTL2xx to TTL5xx are how long answers of a class are kept. Zero means the engine's Retention.
	TTL2xx time.Duration `env:"REPLAY_TTL_2XX"`
	TTL3xx time.Duration `env:"REPLAY_TTL_3XX"`
	TTL4xx time.Duration `env:"REPLAY_TTL_4XX"`
	TTL5xx time.Duration `env:"REPLAY_TTL_5XX"`

	// TTLFunc, if not nil, is asked first; 0 leaves it to the class.
	TTLFunc func(status int, header http.Header) time.Duration `env:"-"`

	// Authorize, if not nil, says whether the one who asks may learn anything of a key that has been
	// used: its answer, that another request has it, that it is in flight, or that its outcome is
	// unknown. It is asked once, before all of these and before another attempt; not about a free key,
	// whose handler decides for itself. The request's body has been read. See replay.Request.
	Authorize func(*http.Request) Authorization `env:"-"`

	// Reconcile decides for the engine's AskReconcile policy. With replay.Done, what it wrote
	// is the answer: stored, given, and replayed. Otherwise it writes nothing.
	Reconcile func(http.ResponseWriter, *http.Request) replay.Decision `env:"-"`

	// AllowHeaders and DenyHeaders are response headers that records keep or leave out, beyond the
	// built-in list, HeadersLeftOut; "X-Internal-*" stands for all that begin so. No list lets a replay's
	// markers in, whichever dialect's: Idempotency-Replayed, Idempotent-Replayed and Idempotency-Key.
	AllowHeaders []string `env:"HTTP_ALLOW_HEADERS" want:"header names that aren't made anew for each answer, or beginnings with an asterisk after them, each once, separated by commas"`
	DenyHeaders  []string `env:"HTTP_DENY_HEADERS" want:"header names, or beginnings with an asterisk after them, each once, separated by commas"`

	// DocURL is a page on the API's idempotency, which errors link to. Zero means none.
	DocURL string `env:"HTTP_DOC_URL" want:"an absolute URL"`

	// Message, if not nil, rewords or translates what an error says to people; "" leaves the
	// dialect's words. Codes, types and titles stay. It must not repeat the request's key, which may
	// be invalid.
	Message func(dialect.Outcome, *http.Request) string `env:"-"`

	// RequestID, if not nil, names the request in the errors of a dialect that has a place for it:
	// Credicorp's request_id, Stripe's Request-Id. "" leaves it out.
	RequestID func(*http.Request) string `env:"-"`

	// Logger gets faults that the client is not told of. Nil discards.
	Logger *slog.Logger `env:"-"`
}

// A StorePolicy is which answers are stored, by their status.
type StorePolicy uint8

const (
	StoreAsDialect StorePolicy = iota // "dialect"
	StoreFinal                        // "final": 2xx, 3xx, 4xx except 401, 403, 408, 409, 421, 423, 425 and 429
	StoreSuccess                      // "success": 2xx
	StoreAll                          // "all": 5xx included
)

var storeWords = []string{"dialect", "final", "success", "all"}

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
	Forbid               // 403, whatever the key's state
	Hide                 // 404, with nothing that tells it from any other: see dialect.Dialect
)

const (
	defaultLimit      = 1 << 20
	maxLimit          = 256 << 20
	defaultRetryAfter = time.Second
)

// ConfigError is one setting that isn't accepted: its name, the value and what is accepted.
type ConfigError = config.Error

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	if c.Dialect == nil {
		c.Dialect = dialect.Named(c.DialectName)
	}
	if len(c.Methods) == 0 {
		c.Methods = []string{http.MethodPost, http.MethodPatch}
	}
	if len(c.Headers) == 0 {
		c.Headers = []string{dialect.KeyHeader}
	}
	if c.Syntax == (dialect.KeySyntax{}) && c.Dialect != nil {
		c.Syntax = c.Dialect.Syntax()
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultLimit
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = defaultLimit
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = defaultRetryAfter
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
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
	c = c.WithDefaults()
	var f config.Faults
	f.Check(c.Dialect != nil, "DialectName", c.DialectName, wantDialects(), "")
	f.CheckEach("Methods", c.Methods, method.IsUnsafe, nil, method.Want)
	f.CheckEach("Headers", c.Headers, field.IsOfRequest, http.CanonicalHeaderKey, wantRequestHeaders)
	f.Check(c.MaxBody > 0 && c.MaxBody <= maxLimit, "MaxBody", c.MaxBody, "1 to 268435456 bytes", "")
	f.Check(c.MaxResponse > 0 && c.MaxResponse <= maxLimit, "MaxResponse", c.MaxResponse, "1 to 268435456 bytes", "")
	f.Check(c.RetryAfter >= time.Second && c.RetryAfter <= 30*time.Second, "RetryAfter", c.RetryAfter, "1s to 30s", "")
	var fingerprint config.Faults
	c.Fingerprint.check(&fingerprint)
	f.Add(config.In("Fingerprint", fingerprint.Err()))
	f.Check(c.Wait >= replay.NoWait && c.Wait <= maxWait, "Wait", c.Wait, "0 to 1h, or replay.NoWait", "")
	f.Check(c.PreferWait >= 0 && c.PreferWait <= maxWait, "PreferWait", c.PreferWait, "0 to 1h", "")
	f.Check(c.OnAbandoned <= replay.AskReconcile, "OnAbandoned", c.OnAbandoned, "one of its constants", "")
	f.Check(c.OnFailure <= replay.ReleaseFailed, "OnFailure", c.OnFailure, "one of its constants", "")
	f.Check(c.OnStoreDown <= replay.RunUnguarded, "OnStoreDown", c.OnStoreDown, "one of its constants", "")
	f.Check(c.Stores <= StoreAll, "Stores", c.Stores, "one of its constants", "")
	for _, t := range []struct {
		name string
		ttl  time.Duration
	}{{"TTL2xx", c.TTL2xx}, {"TTL3xx", c.TTL3xx}, {"TTL4xx", c.TTL4xx}, {"TTL5xx", c.TTL5xx}} {
		f.Check(t.ttl == 0 || t.ttl >= time.Second && t.ttl <= maxTTL, t.name, t.ttl, "1s to 87600h", "")
	}
	u, err := url.Parse(c.DocURL)
	f.Check(c.DocURL == "" || err == nil && u.IsAbs() && !strings.ContainsAny(c.DocURL, "<>\" "), "DocURL", c.DocURL, "an absolute URL", "")
	valid := func(allow, deny []string) bool {
		_, err := newHeaderFilter(allow, deny, nil) // New adds the marker of a dialect of one's own
		return err == nil
	}
	allows := func(h string) bool { return valid([]string{h}, nil) }
	denies := func(h string) bool { return valid(nil, []string{h}) }
	allowed := f.CheckEach("AllowHeaders", c.AllowHeaders, allows, http.CanonicalHeaderKey, wantAllow)
	denied := f.CheckEach("DenyHeaders", c.DenyHeaders, denies, http.CanonicalHeaderKey, wantDeny)
	f.Check(!allowed || !denied || valid(c.AllowHeaders, c.DenyHeaders), "DenyHeaders", strings.Join(c.DenyHeaders, ","),
		"header names that aren't allowed", "AllowHeaders")
	return f.Err()
}

func wantDialects() string { return "one of " + strings.Join(dialect.Names(), ", ") }

const maxWait = time.Hour

const maxTTL = 10 * 365 * 24 * time.Hour

const (
	wantRequestHeaders = "names of request headers other than Host and those of one connection, each once"
	wantAllow          = "header names that aren't made anew for each answer, or beginnings with an asterisk after them, each once"
	wantDeny           = "header names, or beginnings with an asterisk after them, each once"
)

// isOmittable reports whether some JSON value can have a part at p, and p is as it was meant: RFC 6901 allows white space
// at its end, but what stands there in a list was to keep its words apart.
func isOmittable(p string) bool {
	return isPointer(p) && utf8.ValidString(p) && strings.TrimSpace(p) == p
}

// FromEnv reads the variables HTTP_DIALECT, HTTP_REQUIRE_KEY, HTTP_METHODS, HTTP_KEY_HEADERS,
// HTTP_KEY_SYNTAX (lenient, strict), HTTP_MAX_BODY, HTTP_MAX_RESPONSE, HTTP_RETRY_AFTER,
// HTTP_FINGERPRINT_JSON, HTTP_FINGERPRINT_OMIT, HTTP_FINGERPRINT_MULTIPART, HTTP_FINGERPRINT_HEADERS,
// HTTP_FINGERPRINT_KEYS, HTTP_ON_STORE_DOWN (refuse, run), HTTP_PREFER_WAIT, HTTP_STORES (dialect,
// final, success, all), REPLAY_TTL_2XX to REPLAY_TTL_5XX, HTTP_ALLOW_HEADERS, HTTP_DENY_HEADERS and
// HTTP_DOC_URL, each behind prefix (by custom "REPRISE_"), from environ, which has the form of
// os.Environ(). It returns every fault at once.
func FromEnv(prefix string, environ []string) (Config, error) {
	var c Config
	err := envconf.Parse(prefix, environ, &c)
	return c, err
}
