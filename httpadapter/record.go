package httpadapter

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/replay"
)

// A record is an answer as it is stored. Fields may be added, never changed.
type record struct {
	Status  int         `msgpack:"status"`
	Header  http.Header `msgpack:"header"`
	Body    []byte      `msgpack:"body"`
	Trailer http.Header `msgpack:"trailer,omitempty"`
}

// bounds are what a record of an answer may be: the longest body that is kept, and headers beside
// it.
func (c *Config) bounds() cache.Bounds {
	return cache.Bounds{Bytes: c.MaxResponse + maxHeaders, Values: maxFields}
}

// What a record may have beside its body: headers and trailers of 256 KiB, which is what Chrome
// takes (kMaxHeaderBufSize of its HttpStreamParser; curl's MAX_HTTP_RESP_HEADER_SIZE is 300 KiB),
// and 4,096 names and values in them (curl takes 5,000 headers).
const (
	maxHeaders = 256 << 10
	maxFields  = 4 << 10
)

// open takes a record for an answer to give. Whoever could write to Redis may have written it, so
// it is held to all that a record of ours is when it is written: replay.ErrReplayUnavailable for
// one that is too large to be kept, replay.ErrUnreadable for one that is no answer, and of its
// headers those that are kept.
func (x *exchange) open(result replay.Result) (r record, err error) {
	cfg := &x.adapter.cfg
	switch err := result.Decode(&r); {
	case errors.Is(err, cache.ErrTooLarge), err == nil && int64(len(r.Body)) > cfg.MaxResponse:
		x.adapter.log.Write(logRecord, "larger than MaxResponse allows for", slog.Any("err", err))
		return record{}, replay.ErrReplayUnavailable
	case err == nil && (r.Status < 200 || r.Status > 999):
		err = fmt.Errorf("status %d", r.Status)
		fallthrough
	case err != nil:
		x.adapter.log.Write(logRecord, "not an HTTP answer", slog.Any("err", err))
		return record{}, replay.ErrUnreadable
	}
	r.Header = x.adapter.filter.keep(r.Header)
	r.Trailer = x.adapter.filter.keep(r.Trailer)
	if !bodyAllowed(r.Status) {
		r.Body, r.Trailer = nil, nil
	}
	return r, nil
}

// addHeader adds the answer's header to what outer handlers have set.
func (r *record) addHeader(h http.Header) {
	// An outer handler has announced it: the length will be another.
	compressed := h.Get("Content-Encoding") != ""
	maps.Copy(h, r.Header)
	if len(r.Trailer) > 0 {
		h["Trailer"] = append(h["Trailer"], slices.Sorted(maps.Keys(r.Trailer))...)
	}
	delete(h, "Content-Length")
	// With trailers HTTP/1.1 needs chunks.
	if bodyAllowed(r.Status) && !compressed && len(h["Trailer"]) == 0 {
		h["Content-Length"] = []string{strconv.Itoa(len(r.Body))}
	}
}

// bodyAllowed reports whether a status may have a body (RFC 9110 §6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
