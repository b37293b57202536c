// Package grpcadapter makes unary gRPC methods safe to retry. A client sends idempotency-key
// metadata with a call; while the first call under that key runs, nobody else may run it, and once
// it has answered, every retry gets that answer back: message or status, details, header and
// trailer metadata.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	engine, err := replay.New(client, replay.Config{})
//	if err != nil { … }
//	adapter, err := grpcadapter.New(engine, grpcadapter.Config{
//		Scope: grpcadapter.ScopeFunc(account), // whose key it is
//	})
//	if err != nil { … }
//	server := grpc.NewServer(grpc.ChainUnaryInterceptor(authenticate, adapter.UnaryServerInterceptor()))
//
// [UnaryClientInterceptor] is the other side: a key for each call, and retries that heed what the
// server says.
//
// The handler's answer is held back until it is stored, its metadata with it, also that of
// grpc.SendHeader; what HTTP/2 can't carry is refused there and then, as gRPC itself does for
// streams only. The handler learns its attempt and fence from its context, by
// [replay.AttemptFrom]; that context ends if the lease is lost, but not when the client hangs up or
// its deadline passes: the work goes on, and its answer waits for the retry.
//
// Methods that differ in policies (a required key, time to live, what is stored, waiting) have each
// an adapter from [Adapter.Route].
//
// # What becomes of an answer
//
//	OK, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS,      stored; the same call would meet
//	FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED      the same again
//	UNAUTHENTICATED, PERMISSION_DENIED,                   not stored, key released: the next
//	RESOURCE_EXHAUSTED, ABORTED                           call is the first
//	others, a panic among them                            not stored, key abandoned: the next
//	                                                      is attempt 2, what 1 did is unknown
//
// That is StoreFinal; see Config.Stores. Where the key is abandoned, OnFailure may have it released
// instead, and so may a handler that knows that it did nothing, by [replay.Clean].
//
// # What clients see
//
// Errors of reprise's own carry a google.rpc.ErrorInfo of [Domain], whose reasons are the codes of
// [dialect.Outcome]:
//
//	INVALID_ARGUMENT     MISSING, INVALID    with google.rpc.BadRequest
//	INVALID_ARGUMENT     UNSCOPED            nothing says whose key it is
//	ABORTED              IN_PROGRESS         with google.rpc.RetryInfo: the same again, later
//	UNAVAILABLE          UNAVAILABLE         the same
//	FAILED_PRECONDITION  REUSED              the key belongs to another request
//	FAILED_PRECONDITION  OUTCOME_UNKNOWN     an earlier attempt died: find out, never a new key
//	FAILED_PRECONDITION  REPLAY_UNAVAILABLE  ran once; its answer, too large perhaps, can't be had
//	DATA_LOSS            UNREADABLE          what is stored can't be read
//	PERMISSION_DENIED    REPLAY_REFUSED      or NOT_FOUND without details, if Authorize hides it
//	INTERNAL             UNKNOWN             a request that is no protobuf message
//
// RetryInfo is there if, and only if, the same call may be sent again; grpc-retry-pushback-ms in
// the trailer says the same to gRPC's own retries, -1 meaning never. In header metadata, a replay
// says idempotency-replayed: true, an answer that a retry will not get idempotency-stored: false,
// and one that too few replicas have confirmed, in acked mode (lock.Config.Acks),
// idempotency-stored: unconfirmed. With replay.Config.Shadow every call runs, and
// idempotency-shadow says what would have been answered in its place.
//
// # Where it differs from httpadapter
//
// Package httpadapter does the same for HTTP handlers, by the same names. What differs is what the
// protocols ask for:
//
//	                  httpadapter               grpcadapter               because gRPC
//	routes            the mux chooses           the interceptor chooses,  has one chain for all
//	                                            by Config.Methods         methods of a server
//	a failure         status 500 and above      an error, which may be    has handlers that
//	                                            marked by replay.Clean    return errors
//	an early answer   streamed on Flush         held back                 has one message a call
//	bounds            MaxBody, MaxResponse      MaxResponse               bounds requests itself
//	fingerprint       with options              as it is                  has one encoding
//	errors            a Dialect's words         one set of statuses       has one form of errors
//	TTL               by class of status        of OK and of errors       has no classes
//	Prefer: wait=N    bounded by PreferWait     none                      has no such metadata
//	the client        httpclient.Transport, a   UnaryClientInterceptor,   takes a function where
//	                  struct to fill in         which makes a function    HTTP takes an interface
//
// # Limits
//
// Those of package replay, and:
//
//   - Streams pass untouched, in either direction. Only unary methods can be played again.
//   - A request is known by its full method and its message in protobuf's deterministic encoding,
//     unknown fields included. One binary encodes a message one way. Another may not: a new
//     protobuf release is free to order things anew, and a schema that has learned a field moves it
//     from the unknown ones to its place. A retry that meets another binary than its first try did,
//     during a deployment, can then be refused as REUSED. It never gets a wrong answer and never
//     runs twice. Deploy such a change of the schema to the servers before a client sends the new
//     field.
//   - A message is stored under its type's name: a binary that doesn't know the type says
//     UNREADABLE. It is decoded and encoded again for the wire, so that a replay is the same
//     message; the order of a map on the wire is no part of one.
//   - A status that protobuf can't encode, for a text that is no UTF-8, is stored as gRPC sends it:
//     with U+FFFD for each such byte, and without details.
//   - grpc.SetSendCompressor and grpc.ClientSupportedCompressors reach for gRPC's own stream, and
//     fail in a handler under a key.
//   - Each call under a key holds its answer twice, encoded and not, while it is stored.
//
// # What belongs here
//
// This package owns both sides of gRPC: whose key a call has, its message and fingerprint, what of
// an answer a record keeps, outcomes as statuses, and the client's tries. It must not know locks or
// scripts, which are replay's business, nor HTTP: of what both have in common, the syntax of keys
// and the codes of outcomes, package dialect is the owner. It is a module of its own, so that
// nobody else needs gRPC. How it behaves in time and under faults is tested beside its code, by
// make test-grpcadapter.
package grpcadapter
