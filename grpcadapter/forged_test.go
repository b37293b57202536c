package grpcadapter_test

import (
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/s2"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/internal/forged"
)

// Whoever can write to Redis can write a record. It may say what it likes as an answer, and nothing
// to the connection: what a record of ours would not hold, none that is read gives.

const simpleResponse = "grpc.testing.SimpleResponse"

func TestForgedMetadataIsFiltered(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{cfg: grpcadapter.Config{DenyMetadata: []string{"x-secret"}}}, count(&runs))
		s.send("k", "body")
		hostile := metadata.MD{
			"grpc-status": {"13"}, ":status": {"500"}, "content-type": {"text/html"}, "connection": {"close"}, "transfer-encoding": {"chunked"},
			"idempotency-stored": {"false"}, "x-secret": {"s"}, "x-line": {"a\r\nb"}, "x-nul": {"\x00"}, "X-Upper": {"1"}, "x y": {"1"}, "": {"1"},
			"x-kept": {"1"}, "x-raw-bin": {"\x00\xff"},
		}
		forged.Record(t, w.redis, map[string]any{"code": 0, "type": simpleResponse, "body": []byte{}, "header": hostile, "trailer": hostile})
		a := s.send("k", "body")
		if a.err != nil || !a.replayed() {
			t.Fatalf("got %v, %v", a.err, a.header)
		}
		for where, md := range map[string]metadata.MD{"header": a.header, "trailer": a.trailer} {
			md.Delete("idempotency-replayed")
			if where == "header" {
				md.Delete("content-type") // gRPC's own
			}
			if md.Len() != 2 || md.Get("x-kept")[0] != "1" || md.Get("x-raw-bin")[0] != "\x00\xff" {
				t.Errorf("%s: %q", where, md)
			}
		}
		if runs.Load() != 1 {
			t.Errorf("ran %d times", runs.Load())
		}
	})
}

func TestForgedStatusThatIsNone(t *testing.T) {
	for _, code := range []int32{math.MinInt32, -1} {
		run(t, func(w *world) {
			var runs atomic.Int64
			s := w.serve(setup{}, count(&runs))
			s.send("k", "body")
			body, err := proto.Marshal(&spb.Status{Code: code, Message: "forged"})
			if err != nil {
				t.Fatal(err)
			}
			forged.Record(t, w.redis, map[string]any{"code": uint32(code), "body": body})
			if a := s.send("k", "body"); a.reason() != "UNREADABLE" || runs.Load() != 1 {
				t.Errorf("code %d: got %v", code, a.err)
			}
		})
	}
}

// MaxResponse bounds what is read as it bounds what is written, and so what a record can cost.
func TestForgedRecordsAreBounded(t *testing.T) {
	const maxResponse = 64 << 10
	many := func(before, each string, n int) []byte {
		b := binary.BigEndian.AppendUint32([]byte("\x82\xa4type\xbb"+simpleResponse+before), uint32(n))
		return append(b, strings.Repeat(each, n)...)
	}
	for name, tt := range map[string]struct {
		payload []byte
		reason  string
	}{
		"values of a header":  {many("\xa6header\x81\xa1a\xdd", "\xa0", 1<<20), "REPLAY_UNAVAILABLE"},
		"trailers":            {many("\xa7trailer\xdf", "\xa1a\x91\xa0", 1<<18), "REPLAY_UNAVAILABLE"},
		"a long body":         {many("\xa4body\xc6", "x", 8<<20), "REPLAY_UNAVAILABLE"},
		"a byte more of body": {many("\xa4body\xc6", "x", maxResponse+1), "REPLAY_UNAVAILABLE"},
		"nested without end":  {[]byte(strings.Repeat("\x81\xa1a", 1<<20)), "REPLAY_UNAVAILABLE"},
		"no map at all":       {[]byte(strings.Repeat("x", 5000)), "UNREADABLE"},
	} {
		run(t, func(w *world) {
			var runs atomic.Int64
			s := w.serve(setup{cfg: grpcadapter.Config{MaxResponse: maxResponse}}, count(&runs))
			s.send("k", "body")
			packed := s2.EncodeBest(nil, tt.payload)
			forged.Payload(t, w.redis, forged.Compressed, packed)
			s.send("k", "body") // whatever has to be set up once
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := s.send("k", "body")
			runtime.ReadMemStats(&after)
			// Twice what a record of MaxResponse has, 256 KiB of metadata included, and 1 MiB for
			// the call itself.
			if took := after.TotalAlloc - before.TotalAlloc; took > 2*(maxResponse+256<<10)+1<<20 {
				t.Errorf("%s: %d bytes allocated for a record of %d", name, took, len(packed))
			}
			if a.reason() != tt.reason || runs.Load() != 1 {
				t.Errorf("%s: got %v, want %s", name, a.err, tt.reason)
			}
		})
	}
}

// FuzzHostileRecord writes records under a key and calls for it over real gRPC: whatever the record
// is, nothing panics, the connection lives on for the next call, and no more is allocated than a
// record may take.
func FuzzHostileRecord(f *testing.F) {
	const maxResponse = 32 << 10
	status, _ := proto.Marshal(&spb.Status{Code: 5, Message: "none"})
	f.Add(uint32(0), simpleResponse, []byte{}, "x-a", "1", []byte("\xc0"))
	f.Add(uint32(5), "", status, "grpc-status", "0", []byte("\x81\xa4code\xce\xff\xff\xff\xff"))
	f.Add(uint32(1<<31), "", []byte{8, 0x80, 0x80, 0x80, 0x80, 0xf8, 0xff, 0xff, 0xff, 0xff, 1}, "x-line", "a\r\nb", []byte("\x81\xa6header\x81\xa1a\xdd\xff\xff\xff\xff"))
	f.Add(uint32(0), "google.protobuf.Any", []byte("\x0a\x00"), "X-Upper", "\x00", s2.Encode(nil, make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, code uint32, typ string, body []byte, name, value string, raw []byte) {
		if len(body) > maxResponse/2 || len(raw) > maxResponse || len(value) > maxResponse {
			return
		}
		run(t, func(w *world) {
			var runs atomic.Int64
			s := w.serve(setup{cfg: grpcadapter.Config{MaxResponse: maxResponse}}, count(&runs))
			if a := s.send("k", "body"); a.err != nil {
				t.Fatal(a.err)
			}
			wire := s.wire.Load()
			key := w.redis.Keys()[0]
			fresh, _ := w.redis.Get(key)
			for _, write := range []func(){
				func() {
					md := metadata.MD{name: {value}}
					forged.Record(t, w.redis, map[string]any{"code": code, "type": typ, "body": body, "header": md, "trailer": md})
				},
				func() { forged.Payload(t, w.redis, 0, raw) },
				func() { forged.Payload(t, w.redis, forged.Compressed, raw) },
				func() { _ = w.redis.Set(key, string(raw)) },
			} {
				write()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				a := s.send("k", "body")
				runtime.ReadMemStats(&after)
				if took := after.TotalAlloc - before.TotalAlloc; took > 2*(maxResponse+256<<10)+2<<20 {
					t.Errorf("%d bytes allocated", took)
				}
				if c := a.code(); c == codes.Unavailable && !a.replayed() {
					t.Errorf("the connection broke: %v", a.err)
				}
				_ = w.redis.Set(key, fresh)
				if a := s.send("k", "body"); a.text() != "run 1" || !a.replayed() {
					t.Errorf("the next call: %q, %v", a.text(), a.err)
				}
			}
			if runs.Load() != 1 || s.wire.Load() != wire {
				t.Errorf("ran %d times, connected again: %v", runs.Load(), s.wire.Load() != wire)
			}
		})
	})
}
