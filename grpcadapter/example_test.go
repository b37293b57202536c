package grpcadapter_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	payments "google.golang.org/grpc/interop/grpc_testing" // stands for a service of your own
	"google.golang.org/grpc/metadata"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// server charges as often as it is run.
type server struct {
	payments.UnimplementedTestServiceServer
	charges int
}

func (s *server) UnaryCall(ctx context.Context, r *payments.SimpleRequest) (*payments.SimpleResponse, error) {
	s.charges++
	attempt, _ := replay.AttemptFrom(ctx) // 2 or more: an earlier one failed, and may have charged
	return &payments.SimpleResponse{
		Username: fmt.Sprintf("charge %d of %s, attempt %d", s.charges, r.Payload.Body, attempt.Number),
	}, nil
}

// A server whose methods are safe to retry, and a client that retries.
func Example() {
	redisServer, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	defer redisServer.Close()
	redisClient := redis.NewClient(&redis.Options{
		Addr: redisServer.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer redisClient.Close()

	// The server's side.
	engine, err := replay.New(redisClient, replay.Config{})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := grpcadapter.New(engine, grpcadapter.Config{
		Scope:      grpcadapter.ScopeMetadata("account"), // set by a proxy that authenticates
		RequireKey: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	grpcServer := grpc.NewServer(grpc.ChainUnaryInterceptor(adapter.UnaryServerInterceptor()))
	payments.RegisterTestServiceServer(grpcServer, new(server))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go grpcServer.Serve(listener)
	defer grpcServer.Stop()

	// The client's.
	intercept, err := grpcadapter.UnaryClientInterceptor(grpcadapter.ClientConfig{})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.NewClient(listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithChainUnaryInterceptor(intercept))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	client := payments.NewTestServiceClient(conn)
	pay := func(ctx context.Context, amount string) {
		ctx = metadata.AppendToOutgoingContext(ctx, "account", "acme")
		var header metadata.MD
		reply, err := client.UnaryCall(ctx, &payments.SimpleRequest{Payload: &payments.Payload{Body: []byte(amount)}}, grpc.Header(&header))
		if errors.Is(err, grpcadapter.ErrReused) {
			fmt.Println("this key is another payment's")
			return
		} else if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, replayed: %t\n", reply.Username, grpcadapter.Replayed(header))
	}

	ctx := context.Background()
	pay(ctx, "10 GBP") // under a key of its own, which every retry carries
	order := grpcadapter.WithKey(ctx, "order-7")
	pay(order, "20 GBP")
	pay(order, "20 GBP") // as after a crash of the client
	pay(order, "30 GBP")
	// Output:
	// charge 1 of 10 GBP, attempt 1, replayed: false
	// charge 2 of 20 GBP, attempt 1, replayed: false
	// charge 2 of 20 GBP, attempt 1, replayed: true
	// this key is another payment's
}
