package effect_test

import (
	"errors"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/internal/config/configtest"
)

func TestConfigDefaults(t *testing.T) {
	got := effect.Config{Dialect: effect.SQLite}.WithDefaults()
	if got.Name != "reprise_effects" || got.Retention != 48*time.Hour || got.OnNoKey != effect.RefuseNoKey ||
		got.Isolation != "" || got.Cache.MaxDecoded != 16<<20 {
		t.Errorf("got %+v", got)
	}
}

func TestConfigFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  effect.Config
		want string
	}{
		{"no dialect", effect.Config{}, `effect: Dialect: want one of postgres, mysql, sqlite`},
		{"all at once", effect.Config{
			Dialect: "oracle", Name: "Effects; DROP", Retention: 1, OnNoKey: "ask", Isolation: "none",
			Cache: cache.Config{MaxDecoded: 1},
		}, `effect: Cache.MaxDecoded: got "1", want a size from 1KiB to 512MiB
Dialect: got "oracle", want one of postgres, mysql, sqlite
Name: got "Effects; DROP", want 1 to 48 lower-case letters, digits and underscores, after a schema and a dot if need be
Retention: got "1ns", want 1s to 87600h
OnNoKey: got "ask", want one of refuse, run
Isolation: got "none", want one of read-committed, repeatable-read, serializable`},
		{"a schema in SQLite", effect.Config{Dialect: effect.SQLite, Name: "main.effects"},
			`effect: Name: got "main.effects", want a name without a schema (see Dialect)`},
		{"a schema elsewhere", effect.Config{Dialect: effect.MySQL, Name: "shop.effects"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := effect.New(nil, c.cfg)
			got := ""
			if err != nil {
				got = err.Error()
				if _, ok := errors.AsType[*effect.ConfigError](err); !ok {
					t.Errorf("%T is no ConfigError", err)
				}
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestFromEnv(t *testing.T) {
	got, err := effect.FromEnv("REPRISE_", []string{
		"REPRISE_EFFECT_DIALECT=postgres", "REPRISE_EFFECT_TABLE=shop.done", "REPRISE_EFFECT_RETENTION=72h",
		"REPRISE_EFFECT_ON_NO_KEY=run", "REPRISE_EFFECT_ISOLATION=serializable", "REPRISE_CACHE_MAX_DECODED=1MiB",
	})
	if err != nil || got.Dialect != effect.PostgreSQL || got.Name != "shop.done" || got.Retention != 72*time.Hour ||
		got.OnNoKey != effect.RunNoKey || got.Isolation != effect.Serializable || got.Cache.MaxDecoded != 1<<20 {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = effect.FromEnv("REPRISE_", []string{"REPRISE_EFFECT_DIALECT=db2"})
	const want = `REPRISE_EFFECT_DIALECT: got "db2", want one of postgres, mysql, sqlite`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPageHasEverySetting(t *testing.T) {
	settings := new(effect.Config).Settings()
	configtest.Table(t, "../docs/settings.md", settings, "EFFECT_")
	configtest.Fields[effect.Config](t, settings)
	configtest.Words[effect.Dialect](t)
	configtest.Words[effect.NoKeyPolicy](t)
	configtest.Words[effect.Isolation](t)
}
