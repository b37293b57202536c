package redisurl

import (
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// refusals are in what Redis says to a client whose user or password it doesn't take.
var refusals = []string{"NOAUTH", "WRONGPASS", "invalid password", "without any password configured"}

// Cure is what helps where a client could not ask its server.
func Cure(client redis.UniversalClient, err error) string {
	refuses := func(text string) bool { return strings.Contains(err.Error(), text) }
	switch {
	case slices.ContainsFunc(refusals, refuses):
		return "the user or password of REDIS_URL is refused, or missing: fix it"
	case usesTLS(client):
		return "see that it is up, that REDIS_URL leads to it from here, and that it speaks TLS"
	}
	return "see that it is up, and that REDIS_URL leads to it from here"
}

func usesTLS(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().TLSConfig != nil
	case *redis.ClusterClient:
		return c.Options().TLSConfig != nil
	}
	return false
}
