package httpadapter

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// A response is an answer, and what a record keeps of it. Fields may be added, never changed.
type response struct {
	Status  int         `msgpack:"status"`
	Header  http.Header `msgpack:"header"`
	Body    []byte      `msgpack:"body"`
	Trailer http.Header `msgpack:"trailer,omitempty"`
}

// write sends the answer. Headers that an outer handler has set stay, unless the answer has them.
func (p *response) write(w http.ResponseWriter) {
	h := w.Header()
	compressed := h.Get("Content-Encoding") != "" // an outer handler has announced it: the length will be another
	maps.Copy(h, p.Header)
	if len(p.Trailer) > 0 {
		h["Trailer"] = append(h["Trailer"], slices.Sorted(maps.Keys(p.Trailer))...)
	}
	delete(h, "Content-Length")
	if bodyAllowed(p.Status) && !compressed && len(h["Trailer"]) == 0 { // with trailers HTTP/1.1 needs chunks
		h["Content-Length"] = []string{strconv.Itoa(len(p.Body))}
	}
	w.WriteHeader(p.Status)
	if len(p.Body) > 0 {
		w.Write(p.Body) // an error means that the client has gone
	}
	maps.Copy(h, p.Trailer)
}

// bodyAllowed reports whether a status may have a body (RFC 9110 §6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
