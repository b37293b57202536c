package httpadapter

import (
	"bytes"
	"mime"
	"strings"

	"github.com/reprise-go/reprise/internal/charset"
)

// maxBoundary is the longest boundary of a multipart body in bytes (RFC 2046 §5.1.1).
const maxBoundary = 70

// boundaryChars are RFC 2046's bchars.
var boundaryChars = charset.New("0-9", "A-Z", "a-z", "'-)", "+", "_", ",", "-", ".", "/", ":", "=", "?", " ")

// multipartBoundary returns the boundary of a multipart body, or "" if there is none that a body
// can be taken apart by.
func multipartBoundary(contentType string) string {
	media, params, err := mime.ParseMediaType(contentType)
	boundary := params["boundary"]
	if err != nil || !strings.HasPrefix(media, "multipart/") || len(boundary) > maxBoundary ||
		boundaryChars.Span(boundary) < len(boundary) || strings.HasSuffix(boundary, " ") {
		return ""
	}
	return boundary
}

// eachPart calls do with each part of a multipart body, its headers and all that follows them as
// they stand, and returns how many there are, and whether the body is nothing but them:
//
//	--boundary CRLF part CRLF --boundary CRLF part CRLF --boundary-- [CRLF]
//
// A body without parts may begin with a line break, as mime/multipart writes it. What RFC 2046
// §5.1.1 allows besides is refused: text before the first delimiter and after the last, and white
// space at a delimiter's end. So is a boundary anywhere else, which one reader may take for a
// delimiter and another not. So two bodies with the same parts differ in their boundary only,
// whoever reads them.
//
// It takes no memory, and time in proportion to the body.
func eachPart(body []byte, boundary string, do func(part []byte)) (n int, ok bool) {
	if boundary == "" {
		return 0, false
	}
	delimiter := []byte("--" + boundary)
	end := func(rest []byte) bool {
		after, ok := bytes.CutPrefix(rest, []byte("--"))
		return ok && (len(after) == 0 || string(after) == "\r\n")
	}
	rest, ok := bytes.CutPrefix(body, delimiter)
	if !ok {
		rest, ok = bytes.CutPrefix(body, append([]byte("\r\n"), delimiter...))
		return 0, ok && end(rest)
	}
	for !end(rest) {
		rest, ok = bytes.CutPrefix(rest, []byte("\r\n"))
		i := bytes.Index(rest, delimiter)
		if !ok || i < 2 || string(rest[i-2:i]) != "\r\n" {
			return n, false
		}
		do(rest[:i-2])
		n++
		rest = rest[i+len(delimiter):]
	}
	return n, true
}
