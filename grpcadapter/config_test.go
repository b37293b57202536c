package grpcadapter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/internal/config/configtest"
	"github.com/reprise-go/reprise/replay"
)

// names returns the settings at fault, in order.
func names(err error) (all []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, names(e)...)
		}
		return all
	}
	if e, ok := errors.AsType[*grpcadapter.ConfigError](err); ok {
		if e.Want == "" {
			return []string{e.Name + " wants nothing"}
		}
		return []string{e.Name}
	}
	return nil
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		cfg  grpcadapter.Config
		want string
	}{
		{grpcadapter.Config{}, ""},
		{grpcadapter.Config{Methods: []string{"/a.b.C/D", "/a.b.C/*"}, KeyMetadata: "X-Key", RetryAfter: time.Millisecond, MaxResponse: 1,
			TTLOK: time.Second, TTLError: 87600 * time.Hour, Stores: grpcadapter.StoreAll, OnStoreDown: replay.RunUnguarded}, ""},
		{grpcadapter.Config{Methods: []string{"a/b"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/*/b"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a/b/c"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a/b*"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a/*b"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a/**"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a/b "}}, "Methods"},
		{grpcadapter.Config{Methods: []string{" /a/b"}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a/b", ""}}, "Methods"},
		{grpcadapter.Config{Methods: []string{"/a/b", "/a/c", "/a/b"}}, "Methods"},
		{grpcadapter.Config{KeyMetadata: "grpc-key"}, "KeyMetadata"},
		{grpcadapter.Config{KeyMetadata: "key-bin"}, "KeyMetadata"},
		{grpcadapter.Config{KeyMetadata: "a key"}, "KeyMetadata"},
		{grpcadapter.Config{KeyMetadata: "User-Agent"}, "KeyMetadata"}, // all calls would have one key
		{grpcadapter.Config{KeyMetadata: "content-type"}, "KeyMetadata"},
		{grpcadapter.Config{KeyMetadata: "te"}, "KeyMetadata"}, // and here none, unnoticed
		{grpcadapter.Config{KeyMetadata: "host"}, "KeyMetadata"},
		{grpcadapter.Config{MaxResponse: -1}, "MaxResponse"},
		{grpcadapter.Config{MaxResponse: 256<<20 + 1}, "MaxResponse"},
		{grpcadapter.Config{RetryAfter: time.Microsecond}, "RetryAfter"},
		{grpcadapter.Config{RetryAfter: time.Minute}, "RetryAfter"},
		{grpcadapter.Config{AllowMetadata: []string{"Set-Cookie", "x-*"}, DenyMetadata: []string{"*"}, Wait: replay.NoWait,
			OnAbandoned: replay.RefuseUnknown, OnFailure: replay.ReleaseFailed}, ""},
		{grpcadapter.Config{AllowMetadata: []string{"grpc-status"}}, "AllowMetadata"},
		{grpcadapter.Config{AllowMetadata: []string{"idempotency-replayed"}}, "AllowMetadata"},
		{grpcadapter.Config{AllowMetadata: []string{"date", "Date"}}, "AllowMetadata"},
		{grpcadapter.Config{DenyMetadata: []string{"x:y"}}, "DenyMetadata"},
		{grpcadapter.Config{AllowMetadata: []string{"date"}, DenyMetadata: []string{"Date"}}, "DenyMetadata"},
		{grpcadapter.Config{Wait: -2, OnAbandoned: "never", OnFailure: "run"}, "Wait OnAbandoned OnFailure"},
		{grpcadapter.Config{TTLOK: time.Millisecond, TTLError: -1, Stores: "some", OnStoreDown: "open"}, "OnStoreDown Stores TTLOK TTLError"},
	} {
		if got := strings.Join(names(tt.cfg.Validate()), " "); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.cfg, got, tt.want)
		}
	}
}

func TestNewTellsAllFaults(t *testing.T) {
	_, err := grpcadapter.New(nil, grpcadapter.Config{RetryAfter: 1})
	if got := names(errors.Unwrap(err)); !slices.Equal(got, []string{"engine", "Scope", "RetryAfter"}) || !strings.HasPrefix(err.Error(), "grpcadapter: ") {
		t.Errorf("%v names %v", err, got)
	}
	for _, name := range []string{"ScopeMetadata", "ScopeFunc", "GlobalScope"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func TestNewDemandsReconcile(t *testing.T) {
	run(t, func(w *world) {
		engine := w.engine(replay.Config{OnAbandoned: replay.AskReconcile})
		_, err := grpcadapter.New(engine, grpcadapter.Config{Scope: grpcadapter.GlobalScope})
		if got := names(errors.Unwrap(err)); !slices.Equal(got, []string{"Reconcile"}) {
			t.Errorf("got %v", err)
		}
		_, err = grpcadapter.New(engine, grpcadapter.Config{
			Scope: grpcadapter.ScopeFunc(func(context.Context) (string, error) { return "", nil }),
			Reconcile: func(context.Context, any, *grpc.UnaryServerInfo) (replay.Decision, any, error) {
				return 0, nil, nil
			},
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestFromEnv(t *testing.T) {
	cfg, err := grpcadapter.FromEnv("X_", []string{
		"X_GRPC_REQUIRE_KEY=true", "X_GRPC_METHODS=/a/b,/c/*", "X_GRPC_KEY_METADATA=x-key", "X_GRPC_KEY_SYNTAX=strict",
		"X_GRPC_MAX_RESPONSE=4KiB", "X_GRPC_RETRY_AFTER=250ms", "X_GRPC_ON_STORE_DOWN=run", "X_GRPC_STORES=all",
		"X_GRPC_TTL_OK=1h", "X_GRPC_TTL_ERROR=1m", "X_GRPC_ALLOW_METADATA=date,x-a", "X_GRPC_DENY_METADATA=*",
	})
	if err != nil || !cfg.RequireKey || !slices.Equal(cfg.Methods, []string{"/a/b", "/c/*"}) || cfg.KeyMetadata != "x-key" ||
		cfg.Syntax != dialect.Strict || cfg.MaxResponse != 4096 || cfg.RetryAfter != 250*time.Millisecond ||
		cfg.OnStoreDown != replay.RunUnguarded || cfg.Stores != grpcadapter.StoreAll || cfg.TTLOK != time.Hour || cfg.TTLError != time.Minute ||
		!slices.Equal(cfg.AllowMetadata, []string{"date", "x-a"}) || !slices.Equal(cfg.DenyMetadata, []string{"*"}) {
		t.Errorf("got %+v, %v", cfg, err)
	}
	_, err = grpcadapter.FromEnv("X_", []string{"X_GRPC_STORES=some", "X_GRPC_METHODS=pay", "X_GRPC_RETRY_AFTER=1h"})
	if got := names(err); !slices.Equal(got, []string{"X_GRPC_METHODS", "X_GRPC_RETRY_AFTER", "X_GRPC_STORES"}) {
		t.Errorf("%v names %v", err, got)
	}
}

func TestSettings(t *testing.T) {
	configtest.Table(t, "../docs/settings.md", new(grpcadapter.Config).Settings(), "GRPC_")
	configtest.Fields[grpcadapter.Config](t, new(grpcadapter.Config).Settings())
	configtest.Words[grpcadapter.StorePolicy](t)
}
