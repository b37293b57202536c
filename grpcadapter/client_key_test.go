package grpcadapter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/grpcadapter"
)

func TestKeyOfACall(t *testing.T) {
	ctx := t.Context()
	outgoing := metadata.AppendToOutgoingContext(ctx, "idempotency-key", "out", "other", "1")
	keys := map[string]bool{}
	for _, tt := range []struct {
		name string
		ctx  context.Context
		cfg  grpcadapter.ClientConfig
		want string // empty: a new one
	}{
		{"new", ctx, grpcadapter.ClientConfig{}, ""},
		{"new again", ctx, grpcadapter.ClientConfig{}, ""},
		{"of NewKey", ctx, grpcadapter.ClientConfig{NewKey: func() string { return "own" }}, "own"},
		{"outgoing", outgoing, grpcadapter.ClientConfig{}, "out"},
		{"outgoing, with blanks that no server counts", metadata.AppendToOutgoingContext(ctx, "Idempotency-Key", " out\t"), grpcadapter.ClientConfig{}, " out\t"},
		{"WithKey", grpcadapter.WithKey(ctx, "given"), grpcadapter.ClientConfig{}, "given"},
		{"WithKey that agrees with outgoing", grpcadapter.WithKey(outgoing, "out"), grpcadapter.ClientConfig{}, "out"},
		{"WithKey of a string", grpcadapter.WithKey(ctx, `"two words"`), grpcadapter.ClientConfig{}, `"two words"`},
		{"does not take part", ctx, grpcadapter.ClientConfig{Methods: []string{"/c/*"}}, "-"},
		{"nor by function", ctx, grpcadapter.ClientConfig{MethodFunc: func(string) bool { return false }}, "-"},
	} {
		w := &wire{}
		if err := w.call(tt.ctx, t, tt.cfg); err != nil {
			t.Fatal(tt.name, err)
		}
		switch got := w.keys[0]; {
		case tt.want == "-":
			if got != "" {
				t.Errorf("%s: got %q", tt.name, got)
			}
		case tt.want == "":
			if _, err := dialect.Lenient.Parse(w.keys); err != nil || len(got) < 20 || keys[got] {
				t.Errorf("%s: got %q, %v", tt.name, got, err)
			}
			keys[got] = true
		case got != tt.want:
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if md, _ := metadata.FromOutgoingContext(outgoing); fmt.Sprint(md["other"], md["idempotency-key"]) != "[1] [out]" {
		t.Errorf("the caller's metadata was changed: %v", md)
	}
}

// A key that would have to be chosen, replaced or cut is an error before the first try: whichever
// the server got, the caller could mean another when it asks again.
func TestKeysThatAreNotSent(t *testing.T) {
	ctx := t.Context()
	with := func(values ...string) context.Context {
		for _, v := range values {
			ctx = metadata.AppendToOutgoingContext(t.Context(), "other", "1")
			ctx = metadata.AppendToOutgoingContext(ctx, "idempotency-key", v)
		}
		return ctx
	}
	two := metadata.AppendToOutgoingContext(with("a"), "Idempotency-Key", "a")
	const printable = "printable ASCII characters, without blanks at either end"
	for _, tt := range []struct {
		name string
		ctx  context.Context
		new  func() string
		is   dialect.Outcome
		want string
	}{
		{"two", two, nil, dialect.KeyRepeated, "one value"},
		{"nothing and one", metadata.AppendToOutgoingContext(with(""), "idempotency-key", "b"), nil, dialect.KeyRepeated, "one value"},
		{"WithKey says another", grpcadapter.WithKey(with("a"), "b"), nil, dialect.KeyRepeated, "the same key as WithKey gives"},
		{"nothing", with(""), nil, dialect.KeyMalformed, printable},
		{"blanks", with(" \t"), nil, dialect.KeyMalformed, printable},
		{"a control character", with("a\nb"), nil, dialect.KeyMalformed, printable},
		{"WithKey of nothing", grpcadapter.WithKey(t.Context(), ""), nil, dialect.KeyMalformed, printable},
		{"WithKey with a blank at its end", grpcadapter.WithKey(t.Context(), "a "), nil, dialect.KeyMalformed, printable},
		{"WithKey beyond ASCII", grpcadapter.WithKey(t.Context(), "é"), nil, dialect.KeyMalformed, printable},
		{"NewKey of nothing", t.Context(), func() string { return "" }, dialect.KeyMalformed, printable},
	} {
		w := &wire{}
		err := w.call(tt.ctx, t, grpcadapter.ClientConfig{NewKey: tt.new})
		fault, ok := errors.AsType[*dialect.KeyError](err)
		if !ok || fault.Outcome != tt.is || fault.Header != "idempotency-key" || fault.Want != tt.want || len(w.keys) > 0 {
			t.Errorf("%s: got %v after %d tries", tt.name, err, len(w.keys))
		}
		call, ok := errors.AsType[*grpcadapter.CallError](err)
		if !ok || call.Tries != 0 || call.Key != "" || call.Reason != "INVALID" || status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: got %#v", tt.name, call)
		}
	}
}
