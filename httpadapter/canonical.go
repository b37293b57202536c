package httpadapter

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/gowebpki/jcs"
)

// isJSON reports whether a media type is JSON's or based on it (RFC 6839 §3.1).
func isJSON(contentType string) bool {
	media := mediaType(contentType)
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// exactNumbers reports whether text is JSON whose numbers keep their value in a float64, in which RFC 8785 writes them:
// all with no more than 15 significant digits, of which two are never one float64. Others could make one amount of two,
// and one operation of two.
func exactNumbers(text []byte) bool {
	if !json.Valid(text) { // which bounds the depth, too
		return false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return true // the end: it is valid
		}
		if n, ok := token.(json.Number); ok && !exact(string(n)) {
			return false
		}
	}
}

// Outside these limits a float64 has fewer digits.
const (
	leastNormal   = 0x1p-1022
	maxExactDigit = 15
)

func exact(number string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(number), "e")
	digits := strings.Trim(strings.Replace(strings.TrimPrefix(mantissa, "-"), ".", "", 1), "0")
	f, err := strconv.ParseFloat(number, 64)
	if digits == "" {
		return true // zero
	}
	return err == nil && len(digits) <= maxExactDigit && math.Abs(f) >= leastNormal
}

// omit leaves what the pointers point to out of canonical JSON.
func omit(canonical []byte, pointers []string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(canonical))
	d.UseNumber()
	var document any
	if err := d.Decode(&document); err != nil {
		return nil, err
	}
	for _, p := range pointers {
		leaveOut(document, strings.Split(p, "/")[1:])
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(text)
}

var unescapePointer = strings.NewReplacer("~1", "/", "~0", "~") // RFC 6901 §4

// leaveOut follows a pointer. Where there is nothing at its end it does nothing.
func leaveOut(in any, path []string) {
	name := unescapePointer.Replace(path[0])
	last := len(path) == 1
	switch v := in.(type) {
	case map[string]any:
		if last {
			delete(v, name)
		} else {
			leaveOut(v[name], path[1:])
		}
	case []any:
		i, err := strconv.Atoi(name)
		switch {
		case err != nil || i < 0 || i >= len(v) || name != strconv.Itoa(i):
		case last:
			v[i] = nil // the others keep their places
		default:
			leaveOut(v[i], path[1:])
		}
	}
}

// isPointer reports whether p is a JSON pointer to a part of a document (RFC 6901 §3).
func isPointer(p string) bool {
	for i := range len(p) {
		if p[i] == '~' && (i+1 == len(p) || p[i+1] != '0' && p[i+1] != '1') {
			return false
		}
	}
	return strings.HasPrefix(p, "/")
}
