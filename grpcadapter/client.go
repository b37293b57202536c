package grpcadapter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/internal/envconf"
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

	// MaxTries is how often a call is sent at most. Zero means 4; 1 to 100, of which 1 never
	// retries. The time that it may take altogether is the context's.
	MaxTries int

	// Backoff bounds the pause before the second try; the bound doubles with each try, up to
	// MaxBackoff. A pause is a random part of its bound (full jitter), or what the server asks for
	// if that is longer. Zero means 100 ms and 5 s; 1 ms to 1 h.
	Backoff, MaxBackoff time.Duration
}

const (
	defaultTries      = 4
	maxTries          = 100
	defaultBackoff    = 100 * time.Millisecond
	defaultMaxBackoff = 5 * time.Second
	maxBackoff        = time.Hour
)

// WithDefaults returns c with every zero replaced by its default.
func (c ClientConfig) WithDefaults() ClientConfig {
	c.KeyMetadata = orDefaultKey(c.KeyMetadata)
	if c.NewKey == nil {
		c.NewKey = rand.Text
	}
	if c.MaxTries == 0 {
		c.MaxTries = defaultTries
	}
	if c.Backoff == 0 {
		c.Backoff = defaultBackoff
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = max(defaultMaxBackoff, c.Backoff)
	}
	return c
}

// Validate returns every fault of c at once, each a *ConfigError.
func (c ClientConfig) Validate() error {
	c = c.WithDefaults()
	var f envconf.Faults
	checkCalls(&f, c.Methods, c.KeyMetadata)
	f.Check(c.MaxTries >= 1 && c.MaxTries <= maxTries, "MaxTries", c.MaxTries, "1 to 100", "")
	f.Check(c.Backoff >= time.Millisecond && c.Backoff <= maxBackoff, "Backoff", c.Backoff, "1ms to 1h", "")
	f.Check(c.MaxBackoff >= c.Backoff && c.MaxBackoff <= maxBackoff, "MaxBackoff", c.MaxBackoff, "Backoff to 1h", "Backoff")
	return f.Err()
}

// UnaryClientInterceptor makes calls safe to retry, and retries them. Each call gets one key, which
// every try carries: that of WithKey, else one that is in the outgoing metadata, else a new one.
//
// What is sent again, with the same key and message, until it is answered, MaxTries is reached or
// the context ends:
//
//   - UNAVAILABLE;
//   - ABORTED and RESOURCE_EXHAUSTED if the server says when (google.rpc.RetryInfo, or
//     grpc-retry-pushback-ms). Without, the first is an application's own conflict, and the second a
//     quota or a message that is too large, whom haste doesn't help.
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
// another kind with it is refused as a mismatch. That is how a program that has kept CallError.Key
// asks again later.
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
	ctx, key := c.key(ctx)
	for try, bound := 1, c.cfg.Backoff; ; try, bound = try+1, min(2*bound, c.cfg.MaxBackoff) {
		var header, trailer metadata.MD
		err := invoke(ctx, method, req, reply, conn, append(opts[:len(opts):len(opts)], grpc.Header(&header), grpc.Trailer(&trailer))...)
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

// key returns the call's key, and a context that carries it.
func (c *caller) key(ctx context.Context) (context.Context, string) {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	key, given := ctx.Value(keyOf{}).(string)
	switch values := md.Get(c.cfg.KeyMetadata); {
	case given:
	case len(values) > 0: // several are for the server to refuse
		return ctx, strings.Join(values, ",")
	default:
		key = c.cfg.NewKey()
	}
	if md == nil {
		md = metadata.MD{}
	}
	md.Set(c.cfg.KeyMetadata, key)
	return metadata.NewOutgoingContext(ctx, md), key
}

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
