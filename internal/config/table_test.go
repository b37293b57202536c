package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/internal/config/configtest"
	"github.com/reprise-go/reprise/replay"
)

const page = "../../docs/settings.md"

// grpcadapter, which is a module of its own, has a test like this one for its part of the table.
func TestPageHasEverySetting(t *testing.T) {
	settings := slices.Concat(new(replay.Config).Settings(), new(httpadapter.Config).Settings())
	configtest.Table(t, page, settings, "LOCK_", "CACHE_", "REPLAY_", "HTTP_")
	configtest.Fields[replay.Config](t, new(replay.Config).Settings())
	configtest.Fields[httpadapter.Config](t, new(httpadapter.Config).Settings())
}

// No page names a variable that neither the table has nor a program of ours reads.
func TestPagesNameNoOtherVariable(t *testing.T) {
	known := append(configtest.Variables(t, page),
		"REPRISE_BOARD_TOKEN",                           // the board's
		"REPRISE_REQUIRE_DOCKER", "REPRISE_SCREENSHOTS", // the tests'
	)
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil || len(pages) == 0 {
			t.Fatal("no pages", err)
		}
		for _, name := range pages {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range regexp.MustCompile(`REPRISE_[A-Z0-9_]+`).FindAllString(string(text), -1) {
				if !slices.Contains(known, v) {
					t.Errorf("%s names %s, which nothing reads", name, v)
				}
			}
		}
	}
}
