package httpadapter

import (
	"io"
	"net/http"
	"reflect"
	"strings"
)

// readBefore tells whether a handler around us has read of the body, which the fingerprint would not see. Fewer bytes than
// ContentLength says are no proof of that: a handler that decompresses the body may leave ContentLength as it was, and
// whoever puts another body in the place of net/http's answers for it. But net/http's own gives an error if it breaks
// off, and so ends early only if somebody has read of it. And where nothing at all is left of what was announced, somebody
// has read it all, unless it was nothing that was compressed: then Content-Encoding says so, or both fields were taken away.
func readBefore(r *http.Request, size int) bool {
	if size == 0 && (len(r.PostForm) > 0 || r.MultipartForm != nil) {
		return true // as a form
	}
	if int64(size) >= r.ContentLength {
		return false
	}
	gone := size == 0 && r.Header.Get("Content-Encoding") == "" && r.Header.Get("Content-Length") != ""
	return gone || isServerBody(r.Body)
}

var limitedBody = reflect.TypeOf(http.MaxBytesReader(nil, http.NoBody, 0))

// isServerBody reports whether a body is as the server made it. A handler may have put a limit around any body, so one
// with a limit is taken for another's.
func isServerBody(body io.Reader) bool {
	t := reflect.TypeOf(body)
	if t == limitedBody || t.Kind() != reflect.Pointer {
		return false
	}
	from := t.Elem().PkgPath()
	return strings.HasPrefix(from, "net/http") || from == "golang.org/x/net/http2"
}

// firstRead is the memory that a body gets before any of it has come: what net/http spends on a connection's own read
// buffer, so that a client gains nothing by announcing more.
const firstRead = 4 << 10

// readAll reads r to its end. Memory follows the bytes that have come and never those that were announced (-1 if none
// were): beyond firstRead there is never more room than has been filled. What was announced only keeps the last step
// from being too large.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	if announced < 0 {
		announced = 511
	}
	b := make([]byte, 0, min(announced, firstRead)+1) // one more, so that the end is met without growing
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			size := 2 * len(b)
			if left := announced - int64(len(b)); left >= 0 && left < int64(len(b)) {
				size = int(announced) + 1
			}
			b = append(make([]byte, 0, size), b...)
		}
	}
}
