package snippet

import (
	"context"

	"google.golang.org/grpc"

	"github.com/reprise-go/reprise/replay"
)

var (
	engine       *replay.Engine
	authenticate grpc.UnaryServerInterceptor
	target       string
	credentials  grpc.DialOption
)

func account(context.Context) (string, error) { return "", nil }
