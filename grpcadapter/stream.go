package grpcadapter

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A stream is the grpc.ServerTransportStream of a handler under a key: where grpc.SetHeader,
// SendHeader and SetTrailer put their metadata. It holds all of it back until the answer is stored.
type stream struct {
	method string

	mu      sync.Mutex // a goroutine that the handler leaves behind may call, and is refused
	header  metadata.MD
	trailer metadata.MD
	sent    bool // the handler wants nothing more in the header
	over    bool // the handler has returned
}

var (
	errSent = errors.New("grpcadapter: the header has been sent")
	errOver = errors.New("grpcadapter: the call has been answered")
)

// end leaves header and trailer to whoever reads them.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

func (s *stream) Method() string { return s.method }

func (s *stream) SetHeader(md metadata.MD) error { return s.addHeader(md, false) }

// SendHeader sends nothing yet, but as with gRPC's own the header is complete.
func (s *stream) SendHeader(md metadata.MD) error { return s.addHeader(md, true) }

func (s *stream) addHeader(md metadata.MD, last bool) error {
	if err := checkMetadata(md); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return errOver
	case s.sent:
		return errSent
	}
	s.header, s.sent = metadata.Join(s.header, md), last
	return nil
}

func (s *stream) SetTrailer(md metadata.MD) error {
	if err := checkMetadata(md); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errOver
	}
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

// The markers, in header metadata.
const (
	replayedKey = "idempotency-replayed"
	storedKey   = "idempotency-stored"
)

// Replayed tells from a call's header metadata (grpc.Header) whether its answer was stored before,
// or is fresh.
func Replayed(header metadata.MD) bool {
	values := header.Get(replayedKey)
	return len(values) == 1 && values[0] == "true"
}

// madeAnew is the metadata that no record keeps: gRPC's own, which it makes for each answer, what
// belongs to one connection (RFC 9110 §7.6.1), and the markers, for a record made of a marked answer
// must not mark others. A trailing asterisk stands for any ending.
var madeAnew = []string{
	":*", "grpc-*", "content-type", "content-length", "user-agent",
	"connection", "keep-alive", "proxy-*", "te", "trailer", "transfer-encoding", "upgrade",
	replayedKey, storedKey,
}

// notKept is the metadata that a record leaves out by default: it holds for one answer at its time,
// to one caller, or on one way through the network. It is httpadapter's list.
var notKept = []string{
	"via", "alt-svc", "date", "age", "server-timing", "retry-after", "ratelimit*", "x-ratelimit-*",
	"set-cookie", "www-authenticate", "authentication-info", "clear-site-data",
	"traceparent", "tracestate", "x-request-id", "request-id", "access-control-*",
	"x-should-retry", "stripe-should-retry", "retry-after-ms",
}

// KeepsByDefault reports whether records keep metadata of a key, in lower case: all but via,
// alt-svc, date, age, server-timing, retry-after, ratelimit*, x-ratelimit-*, set-cookie,
// www-authenticate, authentication-info, clear-site-data, traceparent, tracestate, x-request-id,
// request-id, access-control-*, x-should-retry, stripe-should-retry and retry-after-ms, which hold for
// one answer.
func KeepsByDefault(key string) bool { return !listed(notKept, key) }

func listed(list []string, key string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		beginning, any := strings.CutSuffix(entry, "*")
		return key == entry || any && strings.HasPrefix(key, beginning)
	})
}

// keep returns the metadata of md that a record keeps, or nil if there is none. What gRPC can't send is none of
// it: a trailer it would send as it stands, and the client would end the connection for that.
func keep(md metadata.MD, keeps func(string) bool) metadata.MD {
	var kept metadata.MD
	for key, values := range md {
		if listed(madeAnew, key) || !keeps(key) || !canSend(key, values) {
			continue
		}
		if kept == nil {
			kept = metadata.MD{}
		}
		kept[key] = values
	}
	return kept
}

// checkMetadata refuses what HTTP/2 can't carry, as gRPC does for streams. For unary methods it doesn't, and the client
// gets INTERNAL in place of the whole answer; stored, it would do so each time.
func checkMetadata(md metadata.MD) error {
	for key, values := range md {
		if !canSend(key, values) {
			return status.Errorf(codes.Internal,
				"grpcadapter: metadata %q: want a key of lower-case letters, digits, '_', '-' and '.', and values without control characters", key)
		}
	}
	return nil
}

// canSend reports whether HTTP/2 carries metadata (RFC 9113 §8.2.1). Names are those of the gRPC protocol. gRPC itself
// leaves out pseudo-headers, which are in what a handler has received, and encodes the values of keys that end in -bin.
func canSend(key string, values []string) bool {
	if strings.HasPrefix(key, ":") {
		return true
	}
	return isHeaderName(key) && (strings.HasSuffix(key, "-bin") || !slices.ContainsFunc(values, hasControl))
}

func hasControl(value string) bool {
	return strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
