package grpcadapter

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/jitter"
)

// ClientConfig is that of UnaryClientInterceptor. The zero value is the default configuration.
type ClientConfig struct {
	// KeyMetadata is the metadata that carries the key. Zero means idempotency-key.
	KeyMetadata string

	// Methods get a key and are retried; others pass. Each is a full name, /package.Service/Method,
	// or all of a service, /package.Service/*. Zero means every unary method.
	Methods []string

	// MethodFunc, if not nil, decides instead, from the full name.
	MethodFunc func(fullMethod string) bool

	// NewKey makes a key that nobody else makes. Nil means 128 random bits and more, as of
	// crypto/rand.Text.
	NewKey func() string

	// MaxTries is how often a call is sent at most. Zero means 10, with pauses between them of 15 s
	// in the mean where the server asks for 1 s (IN_PROGRESS); 1 to 100, of which 1 never retries.
	// The time that it may take altogether is the context's.
	MaxTries int

	// TryTimeout bounds one try, so that a server that hangs leaves time for another. Zero means 30
	// s, or half of the call's deadline if that is less, or with MaxTries 1 no bound; else 1 ms to
	// 1 h. A server is given the bound as its deadline, so a method that takes longer needs a
	// larger one. One behind this package's Adapter runs on, and a later try gets its answer if it
	// comes before MaxTries are used up; else the call ends with IN_PROGRESS, and its key asks
	// again.
	TryTimeout time.Duration

	// Backoff bounds the pause before the second try; the bound doubles with each try, up to
	// MaxBackoff. A pause is a random part of its bound (full jitter), or what the server asks for
	// if that is longer. Zero means 100 ms and 5 s; 1 ms to 1 h.
	Backoff, MaxBackoff time.Duration
}

// defaultTryTimeout is TryTimeout's, where the call's deadline leaves that much.
const defaultTryTimeout = 30 * time.Second

func (c *ClientConfig) settings() config.Settings {
	atMostHour := config.Between(time.Millisecond, time.Hour)
	return config.Settings{
		config.List("", "Methods", &c.Methods).Accept(methodsRule),
		config.String("", "KeyMetadata", &c.KeyMetadata).Default(defaultKeyMetadata).Accept(keyMetadataRule),
		config.Int("", "MaxTries", &c.MaxTries).Default(10).Accept(config.Between(1, 100)),
		config.Duration("", "TryTimeout", &c.TryTimeout).Accept(atMostHour),
		config.Duration("", "Backoff", &c.Backoff).Default(100 * time.Millisecond).Accept(atMostHour),
		config.Duration("", "MaxBackoff", &c.MaxBackoff),
	}
}

// WithDefaults returns c with every zero replaced by its default.
func (c ClientConfig) WithDefaults() ClientConfig {
	c.settings().SetDefaults()
	c.KeyMetadata = strings.ToLower(c.KeyMetadata) // as gRPC does with every metadata key
	c.MaxBackoff = cmp.Or(c.MaxBackoff, max(5*time.Second, c.Backoff))
	if c.NewKey == nil {
		c.NewKey = rand.Text
	}
	return c
}

// Validate returns every fault of c at once, each a *ConfigError.
func (c ClientConfig) Validate() error {
	var f config.Faults
	f.CheckEach(c.settings())
	d := c.WithDefaults()
	f.Check(d.MaxBackoff >= d.Backoff && d.MaxBackoff <= time.Hour, "MaxBackoff", d.MaxBackoff, "Backoff to 1h", "Backoff")
	return f.Err()
}

// UnaryClientInterceptor makes calls safe to retry, and retries them. Each call gets one key, which
// every try carries: that in the outgoing metadata or of WithKey, else a new one. A key that is
// given is never altered: several values, two that disagree, and one that metadata can't carry are
// refused before the first try with INVALID_ARGUMENT, as a *CallError without Tries that wraps an
// *dialect.KeyError.
//
// What is sent again, with the same key and message, until it is answered, MaxTries is reached or
// the context ends:
//
//   - UNAVAILABLE, and a try that TryTimeout ended, which is UNAVAILABLE too;
//   - DEADLINE_EXCEEDED while the call's own deadline stands: a server knows none but the try's;
//   - IN_PROGRESS;
//   - ABORTED and RESOURCE_EXHAUSTED if the server says when (google.rpc.RetryInfo, or
//     grpc-retry-pushback-ms). Without, the first is an application's own conflict, and the second
//     a quota or a message that is too large, whom haste doesn't help.
//
// Never is what the server forbids by a negative grpc-retry-pushback-ms, and what it marks as a
// replay: an error that is stored stays. A pause that would outlast the context's deadline is not
// begun. Every error is a *CallError.
//
// Whatever else retries belongs beneath: other interceptors that do, by coming later in
// grpc.WithChainUnaryInterceptor, for around it each of their tries would get a key of its own.
// gRPC's own retries, the transparent ones and those of a service config, are beneath any
// interceptor and repeat the key. The message must not change while a call is under way.
func UnaryClientInterceptor(cfg ClientConfig) (grpc.UnaryClientInterceptor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("grpcadapter: client: %w", err)
	}
	return (&caller{cfg.WithDefaults()}).call, nil
}

// WithKey returns a context whose call carries key. It is for one operation: a second call of
// another kind with it is refused as REUSED. That is how a program that has kept CallError.Key
// asks again later. Where the outgoing metadata has a key, it must be the same.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyOf{}, key)
}

type keyOf struct{}

type caller struct{ cfg ClientConfig }

func (c *caller) call(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	takes := matches(c.cfg.Methods, method)
	if c.cfg.MethodFunc != nil {
		takes = c.cfg.MethodFunc(method)
	}
	if !takes {
		return invoke(ctx, method, req, reply, conn, opts...)
	}
	ctx, key, err := c.key(ctx)
	if err != nil {
		return &CallError{Reason: reason(dialect.KeyMalformed), err: err}
	}
	limit := c.tryTimeout(ctx)
	for try, bound := 1, c.cfg.Backoff; ; try, bound = try+1, min(2*bound, c.cfg.MaxBackoff) {
		var header, trailer metadata.MD
		err := within(ctx, limit, func(ctx context.Context) error {
			return invoke(ctx, method, req, reply, conn, append(opts[:len(opts):len(opts)], grpc.Header(&header), grpc.Trailer(&trailer))...)
		})
		if err == nil {
			return nil
		}
		hint, again := advice(status.Convert(err), header, trailer)
		if !again || try == c.cfg.MaxTries {
			return callError(err, key, try)
		}
		if over := pause(ctx, max(hint, jitter.N(bound))); over != nil {
			return callError(errors.Join(err, over), key, try)
		}
	}
}

// tryTimeout returns the bound of each of a call's tries, or 0 for none.
func (c *caller) tryTimeout(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	switch {
	case c.cfg.TryTimeout > 0:
		return c.cfg.TryTimeout
	case c.cfg.MaxTries == 1:
		return 0
	case ok:
		return min(defaultTryTimeout, time.Until(deadline)/2) // so that two have room
	}
	return defaultTryTimeout
}

// within makes one try. DEADLINE_EXCEEDED is left to the call's own deadline: whoever reads it must
// not take it for that when only a try has run out of time.
func within(ctx context.Context, limit time.Duration, try func(context.Context) error) error {
	if limit <= 0 {
		return try(ctx)
	}
	tried, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := try(tried)
	if status.Code(err) == codes.DeadlineExceeded && tried.Err() != nil && ctx.Err() == nil {
		return status.Errorf(codes.Unavailable, "no answer within TryTimeout (%v)", limit)
	}
	return err
}

// key returns the call's key, and a context that carries it. A key that would have to be chosen,
// replaced or cut is an error: whichever the server got, the caller could mean another when it asks
// again.
func (c *caller) key(ctx context.Context) (context.Context, string, error) {
	fault := func(outcome dialect.Outcome, want string) (context.Context, string, error) {
		return nil, "", &keyError{&dialect.KeyError{Outcome: outcome, Header: c.cfg.KeyMetadata, Want: want}}
	}
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	carried := md.Get(c.cfg.KeyMetadata)
	key, given := ctx.Value(keyOf{}).(string)
	switch {
	case len(carried) > 1:
		return fault(dialect.KeyRepeated, "one value")
	case len(carried) == 1:
		// Blanks around a value are no part of it: gRPC's HTTP/2 mapping lets them be stripped.
		value := strings.Trim(carried[0], blanks)
		if given && value != key {
			return fault(dialect.KeyRepeated, "the same key as WithKey gives")
		}
		key = value
	case !given:
		key = c.cfg.NewKey()
	}
	if key == "" || strings.Trim(key, blanks) != key || strings.ContainsFunc(key, unprintable) {
		return fault(dialect.KeyMalformed, "printable ASCII characters, without blanks at either end")
	}
	if len(carried) == 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, c.cfg.KeyMetadata, key)
	}
	return ctx, key, nil
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// pause waits, unless ctx ends before: then it returns why, and at once if that can be foreseen.
func pause(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
