// Package nodename names the servers behind a client of Redis.
package nodename

import "github.com/redis/go-redis/v9"

// Of is the address of the server that a client leads to, for people to read. A client of sentinels
// has the name of go-redis's own type in its place, and doesn't tell which server they have named.
func Of(c *redis.Client) string {
	if addr := c.Options().Addr; addr != "FailoverClient" {
		return addr
	}
	return "the primary that sentinels name"
}
