package reprisetest

import (
	"context"
	"net"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// Engine returns an engine over an embedded Redis of its own, on the real clock. It needs no network,
// and is gone when the test ends. A cfg that isn't accepted fails the test.
func Engine(t testing.TB, cfg replay.Config) *replay.Engine {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true) // keys expire as time goes by, as in any Redis
	t.Cleanup(server.Close)
	client := connect(server)
	t.Cleanup(func() { _ = client.Close() })
	cfg.Lock.Pipeline = lock.PipelineOff // as in stage.config
	engine, err := replay.New(client, cfg)
	if err != nil {
		t.Fatalf("reprisetest: %v", err)
	}
	return engine
}

func connect(server *miniredis.Miniredis) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                  "embedded",
		Dialer:                func(context.Context, string, string) (net.Conn, error) { return server.Dial() },
		ContextTimeoutEnabled: true,
		DisableIdentity:       true, // miniredis has no CLIENT SETINFO
		// Its hand-off workers would outlive the client.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
