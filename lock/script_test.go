package lock

import (
	"strings"
	"testing"
)

// A script's text is part of its name for Redis: it must not change with the machine.
func TestScriptsAreComplete(t *testing.T) {
	for name, s := range map[string]*script{
		"begin": beginScript, "renew": renewScript, "commit": commitScript, "release": releaseScript, "abandon": abandonScript,
		"regain": regainScript, "act": actScript,
	} {
		source := s.source
		if !strings.HasPrefix(source, claimSource) || !strings.Contains(source, "\n-- "+name+": ") {
			t.Errorf("%s lacks claim.lua or its own header", name)
		}
		for _, want := range []string{"-- KEYS[1]", "-- ARGV[1]", "-- reply ", "-- Safe to send twice"} {
			if !strings.Contains(source, want) {
				t.Errorf("%s.lua doesn't say %q", name, want)
			}
		}
		if strings.Contains(source, "KEYS[2]") || strings.Contains(source, "\r") {
			t.Errorf("%s.lua has a second key or carriage returns", name)
		}
		if len(s.sha) != 40 {
			t.Errorf("%s has digest %v", name, s.sha)
		}
	}
}
