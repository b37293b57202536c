package config_test

import (
	"errors"
	"testing"

	"github.com/reprise-go/reprise/internal/config"
)

func TestIn(t *testing.T) {
	if err := config.In("Cache", nil); err != nil {
		t.Fatal(err)
	}
	err := config.In("Cache", errors.Join(&config.Error{Name: "A", Want: "b", Other: "C"}, errors.New("plain")))
	if got, want := err.Error(), "Cache.A: want b (see Cache.C)\nplain"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}
