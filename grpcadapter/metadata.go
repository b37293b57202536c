package grpcadapter

import (
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/internal/header"
)

// reserved is the metadata that gRPC makes for each answer itself, or that HTTP/2 refuses. An
// asterisk stands for any ending.
var reserved = []string{":*", "grpc-*", "content-type", "user-agent", "proxy-*"}

// neverKept is the metadata that no list can let into a record, the markers too: a record of a
// marked answer must not mark others.
var neverKept = slices.Concat(header.Never, reserved, ownMetadata)

// MetadataLeftOut returns the header and trailer metadata that records leave out, sorted; a
// trailing asterisk stands for any ending. A handler's is in the first answer only.
// Config.AllowMetadata lets in all but what is gRPC's own or of one connection, what says whether
// to send the call again, and the markers of this package; Config.DenyMetadata takes further keys.
func MetadataLeftOut() []string { return header.LeftOut(strings.ToLower, neverKept) }

// A metadataFilter takes from the metadata of an answer what its record keeps.
type metadataFilter struct{ *header.Filter }

// newMetadataFilter takes the lists of a Config. The error names all their faults at once.
func newMetadataFilter(allow, deny []string) (metadataFilter, error) {
	f, err := header.NewFilter(strings.ToLower, neverKept, allow, deny)
	return metadataFilter{f}, err
}

// keep returns the metadata of md that a record keeps, or nil if there is none. It is asked when a
// record is written and when it is read: whoever can write to Redis can write a record. What gRPC
// can't send is not kept: it would send a trailer as it stands, and the client would end the
// connection for that.
func (f metadataFilter) keep(md metadata.MD) metadata.MD {
	var kept metadata.MD
	for key, values := range md {
		if !f.Keeps(key) || !canSend(key, values) {
			continue
		}
		if kept == nil {
			kept = metadata.MD{}
		}
		kept[key] = values
	}
	return kept
}

// checkMetadata refuses what HTTP/2 can't carry, as gRPC does for streams. For unary methods it
// doesn't, and the client gets INTERNAL in place of the whole answer; from a record it would get
// that each time.
func checkMetadata(md metadata.MD) error {
	for key, values := range md {
		if !canSend(key, values) {
			return status.Errorf(codes.Internal,
				"grpcadapter: metadata %q: want a key of lower-case letters, digits, '_', '-' and '.', and values without control characters", key)
		}
	}
	return nil
}

// canSend reports whether HTTP/2 carries metadata (RFC 9113 §8.2.1). Names are those of the gRPC
// protocol. gRPC itself leaves out pseudo-headers, which are in what a handler has received, and
// encodes the values of keys that end in -bin.
func canSend(key string, values []string) bool {
	if strings.HasPrefix(key, ":") {
		return true
	}
	return isHeaderName(key) && (strings.HasSuffix(key, "-bin") || !slices.ContainsFunc(values, hasControl))
}

// isHeaderName accepts what gRPC's HTTP/2 mapping defines as Header-Name.
func isHeaderName(key string) bool {
	return key != "" && strings.Trim(key, "0123456789abcdefghijklmnopqrstuvwxyz_-.") == ""
}

func hasControl(value string) bool {
	return strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
