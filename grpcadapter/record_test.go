package grpcadapter

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/reprise-go/reprise/replay"
)

// What comes out of a record is of the type that went in, a message of its own, and byte for byte
// the same when encoded as it was.
func TestRecordIsTheSameMessage(t *testing.T) {
	want, err := structpb.NewStruct(map[string]any{"b": 1.0, "a": "é", "c": []any{nil, true}})
	if err != nil {
		t.Fatal(err)
	}
	var r record
	if err := r.fill(want, nil, protoregistry.GlobalTypes); err != nil {
		t.Fatal(err)
	}
	reply, failure, err := r.answer(protoregistry.GlobalTypes)
	got, ok := reply.(*structpb.Struct)
	if !ok || failure != nil || err != nil || got == want || !proto.Equal(got, want) {
		t.Fatalf("got %T %v, %v, %v", reply, reply, failure, err)
	}
	if again, err := encode(got); err != nil || !bytes.Equal(again, r.Body) {
		t.Errorf("got %q, %v, want %q", again, err, r.Body)
	}
}

func TestRecordOfWhatCantBeKept(t *testing.T) {
	for name, reply := range map[string]any{
		"nil": nil, "text": "text", "no UTF-8": wrapperspb.String("\xff"),
	} {
		var r record
		if err := r.fill(reply, nil, protoregistry.GlobalTypes); err == nil {
			t.Errorf("%s: kept as %+v", name, r)
		}
	}
}

// A record that makes no answer is an error, and never an answer of some other kind.
func TestRecordThatIsNone(t *testing.T) {
	notFound, _ := proto.Marshal(status.New(codes.NotFound, "").Proto())
	beyond, _ := proto.Marshal(&spb.Status{Code: -1 << 31})
	for name, r := range map[string]record{
		"empty":          {},
		"unknown type":   {Type: "no.Such"},
		"enum":           {Type: "google.protobuf.NullValue"},
		"broken message": {Type: "google.protobuf.StringValue", Body: []byte{0xff}},
		"broken status":  {Code: 5, Body: []byte{0xff}},
		"other status":   {Code: 6, Body: notFound},
		"no status":      {Code: 5},
		"no code":        {Code: 1 << 31, Body: beyond},
	} {
		if reply, failure, err := r.answer(protoregistry.GlobalTypes); err == nil || reply != nil || failure != nil {
			t.Errorf("%s: got %v, %v, %v", name, reply, failure, err)
		}
	}
}

func TestKeep(t *testing.T) {
	md := metadata.MD{}
	for _, key := range []string{
		"location", "x-rate", "x-cost-bin", "etag", "grpc-status", "grpc-retry-pushback-ms", "grpc-anything", ":status",
		"content-type", "connection", "proxy-authenticate", "te", "date", "set-cookie", "ratelimit-limit",
		"x-ratelimit-reset", "traceparent", "idempotency-replayed", "idempotency-stored", "access-control-allow-origin",
	} {
		md[key] = []string{"1", "2"}
	}
	for key, value := range map[string]string{
		"x-line": "a\r\nb", "x-nul": "\x00", "x-utf8": "é", "X-Upper": "1", "x y": "1", "": "1", "x-bin\n": "1", "x-é": "1",
	} {
		md[key] = []string{"fine", value}
	}
	md["x-raw-bin"] = []string{"\x00\xff\n", ""}
	for name, tt := range map[string]struct {
		allow, deny []string
		want        string
	}{
		"default":    {nil, nil, "etag location x-cost-bin x-rate x-raw-bin x-utf8"},
		"none":       {nil, []string{"*"}, ""},
		"only these": {[]string{"ETag", "x-cost-*"}, []string{"*"}, "etag x-cost-bin"},
		// No list lets in what belongs to gRPC or to a connection.
		"all": {[]string{"*"}, nil,
			"access-control-allow-origin date etag location ratelimit-limit set-cookie traceparent x-cost-bin x-rate x-ratelimit-reset x-raw-bin x-utf8"},
	} {
		filter, err := newMetadataFilter(tt.allow, tt.deny)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kept := filter.keep(md)
		if got := strings.Join(slices.Sorted(maps.Keys(kept)), " "); got != tt.want {
			t.Errorf("%s: kept %s, want %s", name, got, tt.want)
		}
		for key, values := range kept {
			if !slices.Equal(values, md[key]) {
				t.Errorf("%s: %s is %q", name, key, values)
			}
		}
	}
}

func TestMarks(t *testing.T) {
	failed := exchange{adapter: new(Adapter), working: context.Background(), verdict: replay.Abandon}
	if got := failed.marks(replay.Result{Repeated: true, Attempt: 2}); len(got) > 0 {
		t.Errorf("a failure after a repeated effect is marked %v, so that no client would try again", got)
	}
	for name, tt := range map[string]struct {
		result replay.Result
		want   string
	}{
		"stored":                      {replay.Result{Stored: true, Attempt: 1}, "map[]"},
		"not stored":                  {replay.Result{Attempt: 1}, "map[idempotency-stored:[false]]"},
		"unconfirmed":                 {replay.Result{Stored: true, Unconfirmed: true, Attempt: 1}, "map[idempotency-stored:[unconfirmed]]"},
		"replayed":                    {replay.Result{Replayed: true, Stored: true}, "map[idempotency-replayed:[true]]"},
		"repeated":                    {replay.Result{Repeated: true, Stored: true, Attempt: 2}, "map[idempotency-replayed:[true]]"},
		"repeated, not stored":        {replay.Result{Repeated: true, Attempt: 2}, "map[idempotency-replayed:[true] idempotency-stored:[false]]"},
		"reconciled":                  {replay.Result{Reconciled: true, Stored: true, Attempt: 2}, "map[]"},
		"reconciled, but unconfirmed": {replay.Result{Reconciled: true, Stored: true, Unconfirmed: true, Attempt: 2}, "map[idempotency-stored:[unconfirmed]]"},
	} {
		x := exchange{adapter: new(Adapter), working: context.Background()}
		if got := fmt.Sprint(map[string][]string(x.marks(tt.result))); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
		x.adapter = &Adapter{cfg: Config{AttemptMetadata: true}}
		marks := x.marks(tt.result)
		want := ""
		if !tt.result.Replayed && !tt.result.Repeated {
			want = strconv.Itoa(tt.result.Attempt)
		}
		if got := strings.Join(marks[attemptKey], ","); got != want {
			t.Errorf("%s: the attempt is said to be %q, want %q", name, got, want)
		}
		for key := range marks {
			if !slices.Contains(ownMetadata, key) {
				t.Errorf("%s is not in ownMetadata, so that records would keep a handler's", key)
			}
		}
	}
}

// The exported list says what is left out, and is the caller's own.
func TestMetadataLeftOut(t *testing.T) {
	filter, err := newMetadataFilter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := MetadataLeftOut()
	for _, entry := range list {
		if key := strings.Replace(entry, "*", "x", 1); entry != strings.ToLower(entry) || filter.keep(metadata.MD{key: {"v"}}) != nil {
			t.Errorf("%s is kept", entry)
		}
	}
	for _, key := range []string{"grpc-*", "idempotency-stored", "set-cookie", "content-type", "x-ratelimit-*"} {
		if !slices.Contains(list, key) {
			t.Errorf("%s is not in the list", key)
		}
	}
	list[0] = "changed"
	if MetadataLeftOut()[0] == "changed" {
		t.Error("it is shared")
	}
}
