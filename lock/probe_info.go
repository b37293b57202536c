package lock

import (
	"fmt"
	"strconv"
	"strings"
)

// oldest is the first version that has sharded channels.
const oldest = 7

// parseInfo reads the lines of INFO.
func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// major is the first number of the version, or 0. Valkey gives the version of Redis that it is
// like.
func major(info map[string]string) int {
	number, _, _ := strings.Cut(info["redis_version"], ".")
	n, _ := strconv.Atoi(number)
	return n
}

// mode is standalone, cluster or sentinel. Valkey calls it by another name.
func mode(info map[string]string) string {
	if m := info["redis_mode"]; m != "" {
		return m
	}
	return info["server_mode"]
}

// nodeFindings are what a node's INFO says. fit: it is worth trying what a request does.
func nodeFindings(where string, info map[string]string, cfg Config, clustered bool) (all []*SettingError, fit bool) {
	reportIf := func(is bool, setting, got, want, cure string) {
		if is {
			if got == "" {
				got = "nothing"
			}
			all = append(all, &SettingError{Setting: setting, Where: where, Got: got, Want: want, Cure: cure})
		}
	}
	switch m := mode(info); {
	case m == "sentinel":
		reportIf(true, "redis_mode", m, "a server of data",
			"this is a Sentinel, which holds no keys: connect through it to the primary (redis+sentinel://host:port/name, or redis.NewFailoverClient)")
		return all, false // it has none of the other settings
	case m == "cluster" && !clustered:
		reportIf(true, "redis_mode", m, "standalone, for this client",
			"every key of another node is refused; use a client for clusters (?cluster=true in the URL, or redis.NewClusterClient)")
	}

	policy := info["maxmemory_policy"]
	reportIf(policy != "noeviction", "maxmemory-policy", policy, "noeviction",
		"an evicted key is a forgotten one, and its request can run twice; CONFIG SET maxmemory-policy noeviction")

	reportIf(major(info) < oldest, "redis_version", info["redis_version"], "7.0 or later",
		"without sharded channels, those who wait for a key poll it; upgrade")

	switch role := info["role"]; role {
	case "master":
	case "active-replica":
		reportIf(true, "role", role, "master",
			"KeyDB's active replicas each grant the same key, and the last write wins; use one primary with plain replicas")
	default:
		reportIf(true, "role", role, "master",
			"a replica refuses writes; connect to the primary, or to the cluster, or through Sentinel")
	}

	replicas := info["connected_slaves"]
	n, err := strconv.Atoi(replicas)
	reportIf(cfg.Acks > 0 && (err != nil || n < cfg.Acks), "replicas", replicas, fmt.Sprintf("%d, for Acks", cfg.Acks),
		"every new key is refused until so many confirm; add replicas, or lower Acks")
	return all, info["role"] == "master" && (mode(info) != "cluster" || clustered)
}
