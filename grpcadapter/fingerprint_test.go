package grpcadapter

import (
	"regexp"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func mustFingerprint(t *testing.T, method string, req any) string {
	t.Helper()
	got, err := fingerprint(method, req)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Records outlive a deployment: the same request has to have the same fingerprint in every release
// that says "1:". The sum was made by another program from the definition: SHA-256 over "1", method
// and message, each after its length in 8 bytes, big-endian.
func TestFingerprintGolden(t *testing.T) {
	for _, tt := range []struct {
		method string
		req    proto.Message
		want   string
	}{
		{"/bank.Payments/Pay", wrapperspb.String("ten pounds"), "1:i4BF_AgDXPNs52IZm4obXPGmwbmR29tRqv0S1AWyMb8"},
		{"/a/b", &wrapperspb.StringValue{}, "1:8D3gy4wmwaQ-W8VutF-dO2V0tOvIe6-Yr-_Vs2c62rg"},
	} {
		got := mustFingerprint(t, tt.method, tt.req)
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.method, got, tt.want)
		}
		if !regexp.MustCompile(`^1:[0-9A-Za-z_-]{43}$`).MatchString(got) {
			t.Errorf("%q can't stand in a claim", got)
		}
	}
}

// Every pair differs in one thing that makes it another request.
func TestFingerprintTellsApart(t *testing.T) {
	unknown := func(b ...byte) proto.Message {
		m := wrapperspb.String("a")
		m.ProtoReflect().SetUnknown(b)
		return m
	}
	type call struct {
		method string
		req    any
	}
	for name, tt := range map[string][2]call{
		"method":         {{"/a/b", wrapperspb.String("a")}, {"/a/c", wrapperspb.String("a")}},
		"message":        {{"/a/b", wrapperspb.String("a")}, {"/a/b", wrapperspb.String("b")}},
		"unknown fields": {{"/a/b", unknown(0xa0, 6, 1)}, {"/a/b", unknown(0xa0, 6, 2)}},
		"none unknown":   {{"/a/b", unknown(0xa0, 6, 1)}, {"/a/b", unknown()}},
	} {
		if mustFingerprint(t, tt[0].method, tt[0].req) == mustFingerprint(t, tt[1].method, tt[1].req) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

// A map goes over the wire in any order, and has one fingerprint.
func TestFingerprintOfMaps(t *testing.T) {
	fields := map[string]any{}
	for c := 'a'; c <= 'z'; c++ {
		fields[string(c)] = float64(c)
	}
	first := ""
	for range 20 {
		s, err := structpb.NewStruct(fields)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var sent structpb.Struct
		if err := proto.Unmarshal(wire, &sent); err != nil {
			t.Fatal(err)
		}
		got := mustFingerprint(t, "/a/b", &sent)
		if first == "" {
			first = got
		}
		if got != first {
			t.Fatal("two fingerprints of one message")
		}
	}
}

// legacy is a message of the first generation, as generated before 2020: grpc's codec takes it, and
// so do we.
type legacy struct {
	Value string `protobuf:"bytes,1,opt,name=value"`
}

func (m *legacy) Reset()         { *m = legacy{} }
func (m *legacy) String() string { return m.Value }
func (*legacy) ProtoMessage()    {}

func TestFingerprintOfALegacyMessage(t *testing.T) {
	if got, want := mustFingerprint(t, "/a/b", &legacy{"a"}), mustFingerprint(t, "/a/b", wrapperspb.String("a")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFingerprintWantsAMessage(t *testing.T) {
	for _, req := range []any{nil, "text", struct{}{}} {
		if got, err := fingerprint("/a/b", req); err == nil {
			t.Errorf("%T: got %q", req, got)
		}
	}
	if _, err := fingerprint("/a/b", wrapperspb.String("\xff")); err == nil {
		t.Error("a message that can't be encoded has a fingerprint")
	}
}
