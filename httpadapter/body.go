package httpadapter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/intake"
)

// readBody reads the request's body whole, for the fingerprint and for the handler. If it can't, it
// returns false and why.
func (x *exchange) readBody() (fault dialect.Outcome, ok bool) {
	limit, length := x.adapter.cfg.MaxBody, x.r.ContentLength
	if length > limit {
		return dialect.BodyTooLarge, false
	}
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return 0, true
	}
	var body io.Reader
	if x.adapter.shadow { // Then the handler will read the rest.
		body = io.LimitReader(x.r.Body, limit+1)
	} else {
		body = http.MaxBytesReader(x.w, x.r.Body, limit)
	}
	var err error
	x.body, err = intake.ReadAll(body, length)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge, int64(len(x.body)) > limit:
		return dialect.BodyTooLarge, false
	case err != nil, readBefore(x.r, len(x.body)):
		return dialect.BodyIncomplete, false
	}
	return 0, true
}

// request is what the handler gets: the same request, with its body to be read again.
func (x *exchange) request(ctx context.Context) *http.Request {
	r := x.r.WithContext(ctx)
	x.reread.Reset(x.body)
	r.Body = &x.reread
	r.ContentLength = int64(len(x.body))
	r.TransferEncoding = nil
	return r
}

// rereadBody is a request's body, read a second time.
type rereadBody struct{ bytes.Reader }

func (*rereadBody) Close() error { return nil }

// readBefore reports whether a handler around us has read from the body, which the fingerprint
// would not see.
//
// Fewer bytes than ContentLength says are no proof of that: a handler that decompresses the body
// may leave ContentLength as it was, and whoever puts another body in the place of net/http's
// answers for it. But net/http's own body gives an error if it breaks off, so it ends early only if
// somebody has read from it. And where nothing at all is left of what was announced, somebody has
// read it all, unless a decompressed body was empty: then Content-Encoding says so, or both fields
// were taken away.
func readBefore(r *http.Request, size int) bool {
	if size == 0 && (len(r.PostForm) > 0 || r.MultipartForm != nil) {
		return true // It was read as a form.
	}
	if int64(size) >= r.ContentLength {
		return false
	}
	gone := size == 0 && r.Header.Get("Content-Encoding") == "" && r.Header.Get("Content-Length") != ""
	return gone || isServerBody(r.Body)
}

var limitedBody = reflect.TypeOf(http.MaxBytesReader(nil, http.NoBody, 0))

// isServerBody reports whether a body is as the server made it. A body with a limit is not: a
// handler may have put the limit around any body.
func isServerBody(body io.Reader) bool {
	t := reflect.TypeOf(body)
	if t == limitedBody || t.Kind() != reflect.Pointer {
		return false
	}
	from := t.Elem().PkgPath()
	return strings.HasPrefix(from, "net/http") || from == "golang.org/x/net/http2"
}
