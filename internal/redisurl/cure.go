package redisurl

import (
	"slices"
	"strings"
)

// refusals are in what Redis says to a client whose user or password it doesn't take.
var refusals = []string{"NOAUTH", "WRONGPASS", "invalid password", "without any password configured"}

// Cure is what helps where a server could not be asked, with TLS or without.
func Cure(err error, tls bool) string {
	refuses := func(text string) bool { return strings.Contains(err.Error(), text) }
	switch {
	case slices.ContainsFunc(refusals, refuses):
		return "the user or password of REDIS_URL is refused, or missing: fix it"
	case tls:
		return "see that it is up, that REDIS_URL leads to it from here, and that it speaks TLS"
	}
	return "see that it is up, and that REDIS_URL leads to it from here"
}
