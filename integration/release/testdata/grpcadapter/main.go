// A program of somebody who imports grpcadapter: a server whose method is called twice under one key.
package main

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	payments "google.golang.org/grpc/interop/grpc_testing" // stands for a service of one's own
	"google.golang.org/grpc/metadata"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

type server struct {
	payments.UnimplementedTestServiceServer
	charges int
}

func (s *server) UnaryCall(context.Context, *payments.SimpleRequest) (*payments.SimpleResponse, error) {
	s.charges++
	return &payments.SimpleResponse{Username: fmt.Sprint("charge ", s.charges)}, nil
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	redisServer, err := miniredis.Run()
	if err != nil {
		return err
	}
	defer redisServer.Close()
	redisClient := redis.NewClient(&redis.Options{
		Addr: redisServer.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer redisClient.Close()

	engine, err := replay.New(redisClient, replay.Config{})
	if err != nil {
		return err
	}
	adapter, err := grpcadapter.New(engine, grpcadapter.Config{Scope: grpcadapter.ScopeMetadata("account"), RequireKey: true})
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer(grpc.ChainUnaryInterceptor(adapter.UnaryServerInterceptor()))
	payments.RegisterTestServiceServer(grpcServer, new(server))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go grpcServer.Serve(listener)
	defer grpcServer.Stop()

	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	var answers []string
	for range 2 {
		ctx := metadata.AppendToOutgoingContext(ctx, "idempotency-key", "order-1", "account", "a1")
		answer, err := payments.NewTestServiceClient(conn).UnaryCall(ctx, new(payments.SimpleRequest))
		if err != nil {
			return err
		}
		answers = append(answers, answer.Username)
	}

	said := fmt.Sprintf("grpcadapter answered %q", answers)
	fmt.Println(said)
	if want := `grpcadapter answered ["charge 1" "charge 1"]`; said != want {
		return fmt.Errorf("want %s", want)
	}
	return nil
}
