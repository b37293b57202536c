package grpcadapter

import (
	"fmt"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
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
		// The whole status: details are the client's to act on, and any type may be among them.
		r.Body, err = encode(st.Proto())
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

// open returns the answer as a handler would: a fresh message, or failure, the handler's error. err
// says that the record has neither.
func (r *record) open(types protoregistry.MessageTypeResolver) (reply any, failure, err error) {
	if r.Code != uint32(codes.OK) {
		var st spb.Status
		if err := proto.Unmarshal(r.Body, &st); err != nil {
			return nil, nil, fmt.Errorf("grpcadapter: decode a status: %w", err)
		}
		if uint32(st.Code) != r.Code { // code 0 above all, which would be an error that is none
			return nil, nil, fmt.Errorf("grpcadapter: a status of code %d, want %d", st.Code, r.Code)
		}
		return nil, status.ErrorProto(&st), nil
	}
	// By name and not by the method: outer interceptors look at the type, and a record must not be taken
	// for a message that it isn't, as protobuf would without a word.
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
