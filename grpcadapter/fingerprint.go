package grpcadapter

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
)

// fingerprintVersion opens every fingerprint and goes into the hash, so that one that is made of
// other parts is told from one of another request: any change below needs a new version.
const fingerprintVersion = "1"

// fingerprint returns what a request is known by: the version, a colon and the base64url of a
// SHA-256, 45 characters of [0-9A-Za-z:_-]. Two requests have the same one if they agree in the
// full method name and in their message, as deterministically encoded, fields that this binary does
// not know included. Each part is hashed after its length in 8 bytes, big-endian, so that no byte
// can move from one part to the next unseen.
//
// The message is encoded anew because an interceptor can't see what came over the wire, and because
// that may differ between two tries of one request: no encoder is bound to write a map in the same
// order twice. The deterministic encoding does so within one binary, and is not canonical beyond it
// (proto.MarshalOptions): see the package's limits.
func fingerprint(fullMethod string, req any) (string, error) {
	message, err := messageOf(req)
	if err != nil {
		return "", err
	}
	body, err := encode(message)
	if err != nil {
		return "", fmt.Errorf("grpcadapter: encode a request: %w", err)
	}
	h := sha256.New()
	var length [8]byte
	for _, part := range [][]byte{[]byte(fingerprintVersion), []byte(fullMethod), body} {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return fingerprintVersion + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil)), nil
}

func encode(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// messageOf takes what grpc's own codec takes: a message of either generation.
func messageOf(v any) (proto.Message, error) {
	switch m := v.(type) {
	case proto.Message:
		return m, nil
	case protoadapt.MessageV1:
		return protoadapt.MessageV2Of(m), nil
	}
	return nil, fmt.Errorf("grpcadapter: got a %T, want a protobuf message", v)
}
