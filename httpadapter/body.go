package httpadapter

import (
	"io"
	"net/http"
	"reflect"
	"strings"
)

// readBefore tells whether a handler around us has read of the body, which the fingerprint would not see. Fewer bytes
// than ContentLength says are no proof of that: a handler that decompresses the body may leave ContentLength as it was,
// and whoever puts another body in the place of net/http's answers for it. But net/http's own gives an error if it
// breaks off, and so ends early only if somebody has read of it. And where nothing at all is left of what was
// announced, somebody has read it all, unless it was nothing that was compressed: then Content-Encoding says so, or
// both fields were taken away.
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
