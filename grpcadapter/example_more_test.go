package grpcadapter_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	payments "google.golang.org/grpc/interop/grpc_testing" // stands for a service of your own
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// Refunds need a key, and after an attempt that died nobody runs them again. The interceptor hands
// their calls to the route.
func ExampleAdapter_Route() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := grpcadapter.New(engine, grpcadapter.Config{Scope: grpcadapter.GlobalScope})
	if err != nil {
		log.Fatal(err)
	}
	refunds, err := adapter.Route(func(c *grpcadapter.Config) {
		c.Methods = []string{"/shop.Refunds/*"}
		c.RequireKey = true
		c.OnAbandoned = replay.RefuseUnknown
	})
	if err != nil {
		log.Fatal(err)
	}
	intercept := adapter.UnaryServerInterceptor(refunds) // for grpc.ChainUnaryInterceptor

	handler := func(context.Context, any) (any, error) { return "done", nil }
	for _, method := range []string{"/shop.Payments/Make", "/shop.Refunds/Make"} {
		_, err := intercept(context.Background(), "10 GBP", &grpc.UnaryServerInfo{FullMethod: method}, handler) // without a key
		fmt.Println(method, status.Code(err))
	}
	// Output:
	// /shop.Payments/Make OK
	// /shop.Refunds/Make InvalidArgument
}

// A client gives each call a key, and asks again until it has an answer.
func ExampleUnaryClientInterceptor() {
	intercept, err := grpcadapter.UnaryClientInterceptor(grpcadapter.ClientConfig{})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.NewClient("payments.example:443",
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithChainUnaryInterceptor(intercept))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	client := payments.NewTestServiceClient(conn)

	// The key is stored beside the order before the call, so that a program that has crashed asks
	// again by it.
	ctx := grpcadapter.WithKey(context.Background(), "order-7")
	_, err = client.UnaryCall(ctx, &payments.SimpleRequest{})
	switch {
	case errors.Is(err, grpcadapter.ErrReused):
		log.Fatal("the key is another order's")
	case errors.Is(err, grpcadapter.ErrOutcomeUnknown):
		log.Fatal("find out what the earlier call did; another key could do it twice")
	case err != nil:
		log.Print("ask again later, by the same key: ", err)
	}
}

// Settings come from the environment, all faults at once. What is a function is set in code.
func ExampleFromEnv() {
	cfg, err := grpcadapter.FromEnv("REPRISE_", []string{ // as of os.Environ()
		"REPRISE_GRPC_REQUIRE_KEY=true",
		"REPRISE_GRPC_METHODS=/shop.Payments/*,/shop.Refunds/Make",
	})
	if err != nil {
		log.Fatal(err)
	}
	cfg.Scope = grpcadapter.ScopeMetadata("account")
	fmt.Println(cfg.RequireKey, cfg.Methods)
	// Output:
	// true [/shop.Payments/* /shop.Refunds/Make]
}
