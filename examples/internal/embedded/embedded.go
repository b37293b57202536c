// Package embedded runs a Redis inside the program, so that an example needs no server. It is
// miniredis, on the real clock, and is reached without the network.
package embedded

import (
	"context"
	"net"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A Redis keeps what is stored there for as long as the program runs.
type Redis struct{ server *miniredis.Miniredis }

// Start starts a Redis. Close it when its clients are closed.
func Start() *Redis {
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true) // keys expire as time goes by, as in any Redis
	return &Redis{server}
}

// Client returns a new client. Each machine of a fleet has its own.
func (r *Redis) Client() *redis.Client {
	return client("embedded", func(context.Context, string, string) (net.Conn, error) {
		pipe, err := r.server.Dial()
		if err != nil {
			return nil, err
		}
		return newConn(pipe), nil
	})
}

// Listen lets other processes of this machine in, at the address that it returns: see Connect.
func (r *Redis) Listen() (addr string, err error) {
	if err := r.server.Start(); err != nil {
		return "", err
	}
	return r.server.Addr(), nil
}

// Connect returns a new client of the Redis that another process has embedded, and listens there.
func Connect(addr string) *redis.Client { return client(addr, nil) }

// Forget loses all that is stored there, as a failover to a replica that has received nothing does.
func (r *Redis) Forget() { r.server.FlushAll() }

func client(addr string, dial func(context.Context, string, string) (net.Conn, error)) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                  addr,
		Dialer:                dial,
		ContextTimeoutEnabled: true,
		DisableIdentity:       true, // miniredis has no CLIENT SETINFO
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	})
}

// Close ends it, and all that it stored.
func (r *Redis) Close() { r.server.Close() }
