package grpcadapter

import (
	"errors"
	"fmt"
	"log/slog"
	"math"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/replay"
)

// A record is what is stored of an answer. Fields may be added, never changed.
type record struct {
	Code    uint32      `msgpack:"code"`
	Type    string      `msgpack:"type"` // full name of the message; empty with an error
	Body    []byte      `msgpack:"body"` // the message or, with an error, its google.rpc.Status
	Header  metadata.MD `msgpack:"header,omitempty"`
	Trailer metadata.MD `msgpack:"trailer,omitempty"`
}

// fill takes a handler's answer, and fails if it could not be given again: a message that can't be
// encoded, or whose type can't be found by its name.
func (r *record) fill(reply any, st *status.Status, types protoregistry.MessageTypeResolver) (err error) {
	r.Code = uint32(st.Code())
	if st.Code() != codes.OK {
		if st.Code() > math.MaxInt32 {
			return fmt.Errorf("grpcadapter: a status of code %d", uint32(st.Code()))
		}
		r.Body, err = encodeStatus(st.Proto())
		return err
	}
	message, err := messageOf(reply)
	if err != nil {
		return err
	}
	// What can't be found now can't be found for a retry, and then it would be too late to say so.
	name := message.ProtoReflect().Descriptor().FullName()
	if _, err := types.FindMessageByName(name); err != nil {
		return fmt.Errorf("grpcadapter: type %s: %w", name, err)
	}
	r.Type = string(name)
	r.Body, err = encode(message)
	return err
}

// statusOf is what grpc's server makes of a handler's error. OK, which no error can mean, it sends
// as a broken answer: here that is UNKNOWN.
func statusOf(err error) *status.Status {
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	if err != nil && st.Code() == codes.OK {
		return status.New(codes.Unknown, err.Error())
	}
	return st
}

// encodeStatus encodes the whole status: details are the client's to act on, and any type may be
// among them. One that protobuf can't encode, for a text that is no UTF-8, is kept as gRPC sends
// it: without details, and valid.
func encodeStatus(st *spb.Status) ([]byte, error) {
	b, err := encode(st)
	if err != nil {
		b, err = encode(&spb.Status{Code: st.GetCode(), Message: validText(st.GetMessage())})
	}
	return b, err
}

// validText puts U+FFFD into the place of each byte that belongs to no character, as gRPC does with
// a status text (encodeGrpcMessage of grpc-go).
func validText(s string) string { return string([]rune(s)) }

// bounds are what a record may be: the longest message or status that is kept, and metadata beside
// it. grpc-go takes 16 MiB of metadata, httpadapter's records have 256 KiB of headers and 4,096
// names and values.
func (c *Config) bounds() cache.Bounds {
	return cache.Bounds{Bytes: c.MaxResponse + 256<<10, Values: 4 << 10}
}

// open takes a record for an answer to give. Whoever could write to Redis may have written it, so
// it is held to all that a record of ours is when it is written: replay.ErrReplayUnavailable for
// one that is too large to be kept, replay.ErrUnreadable for one that is no answer, and of its
// metadata that which is kept.
func (x *exchange) open(result replay.Result) (r record, reply any, failure, err error) {
	cfg := &x.adapter.cfg
	err = result.Decode(&r)
	if errors.Is(err, cache.ErrTooLarge) || err == nil && int64(len(r.Body)) > cfg.MaxResponse {
		x.adapter.log.Write(logRecord, "larger than MaxResponse allows for", slog.String("method", x.info.FullMethod), slog.Any("err", err))
		return record{}, nil, nil, replay.ErrReplayUnavailable
	}
	if err == nil {
		reply, failure, err = r.answer(cfg.Types)
	}
	if err != nil {
		x.adapter.log.Write(logRecord, "not an answer", slog.String("method", x.info.FullMethod), slog.Any("err", err))
		return record{}, nil, nil, replay.ErrUnreadable
	}
	r.Header, r.Trailer = x.adapter.filter.keep(r.Header), x.adapter.filter.keep(r.Trailer)
	return r, reply, failure, nil
}

// answer returns the answer as a handler would: a fresh message, or failure, the handler's error.
// err says that the record has neither.
func (r *record) answer(types protoregistry.MessageTypeResolver) (reply any, failure, err error) {
	if r.Code != uint32(codes.OK) {
		var st spb.Status
		if err := proto.Unmarshal(r.Body, &st); err != nil {
			return nil, nil, fmt.Errorf("grpcadapter: decode a status: %w", err)
		}
		if uint32(st.Code) != r.Code { // code 0 above all, which would be an error that is none
			return nil, nil, fmt.Errorf("grpcadapter: a status of code %d, want %d", st.Code, r.Code)
		}
		if st.Code < 0 { // grpc-status is a number without a sign, and clients read it into 32 bits
			return nil, nil, fmt.Errorf("grpcadapter: a status of code %d", st.Code)
		}
		return nil, status.ErrorProto(&st), nil
	}
	// By name and not by the method: outer interceptors look at the type, and a record must not be
	// taken for a message that it isn't, as protobuf would without a word.
	kind, err := types.FindMessageByName(protoreflect.FullName(r.Type))
	if err != nil {
		return nil, nil, fmt.Errorf("grpcadapter: type %q: %w", r.Type, err)
	}
	message := kind.New().Interface()
	if err := proto.Unmarshal(r.Body, message); err != nil {
		return nil, nil, fmt.Errorf("grpcadapter: decode a %s: %w", r.Type, err)
	}
	return message, nil, nil
}
