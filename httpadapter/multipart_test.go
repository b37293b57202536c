package httpadapter

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// form returns a form as mime/multipart writes it, with its Content-Type.
func form(t testing.TB, boundary string, parts ...string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		name, value, _ := strings.Cut(p, "=")
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"`}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, value)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

func TestMultipartWithoutItsBoundary(t *testing.T) {
	on, off := newFingerprinter(Fingerprint{CanonicalMultipart: true}), newFingerprinter(Fingerprint{})
	print := func(f *fingerprinter, boundary string, parts ...string) string {
		body, contentType := form(t, boundary, parts...)
		return f.of(request("POST", "/", contentType), body).String()
	}
	own := func(s string) string { return s[strings.LastIndex(s, ":"):] }
	order := []string{"amount=100", "note=a\r\nb"}
	want := print(on, "one", order...)
	if own(print(on, "another", order...)) != own(want) {
		t.Error("the boundary tells requests apart")
	}
	if print(off, "one", order...) == print(off, "another", order...) {
		t.Error("the boundary does not count by default")
	}
	for _, other := range [][]string{
		{"amount=100"}, {"note=a\r\nb", "amount=100"}, {"amount=100", "note=a\r\nb", "note="}, {"amount=100", "note=a\nb"},
		{"amount=100\r\n", "note=a\r\nb"}, {"amount=999", "note=a\r\nb"}, {"Amount=100", "note=a\r\nb"}, {},
		{"amount=100note=a\r\nb"}, {"amount=100", "amount=100", "note=a\r\nb"},
	} {
		if own(print(on, "one", other...)) == own(want) {
			t.Errorf("%q is as %q", other, order)
		}
	}
	if own(print(on, "one")) != own(print(on, "another")) {
		t.Error("the boundary of a form without parts counts")
	}
	// By another machine, or after the setting was changed, the same bytes are the same request.
	body, contentType := form(t, "one", order...)
	r := request("POST", "/", contentType)
	for _, f := range []*fingerprinter{off, newFingerprinter(Fingerprint{CanonicalJSON: true}), newFingerprinter(Fingerprint{CanonicalJSON: true, CanonicalMultipart: true})} {
		if same, err := f.of(r, body).same(want); !same || err != nil {
			t.Errorf("got %v, %v", same, err)
		}
	}
}

func TestMultipartAsItStands(t *testing.T) {
	for name, tt := range map[string]struct {
		contentType, body string
		parts             int // -1 for as it stands
	}{
		"two parts":               {"multipart/form-data; boundary=b", "--b\r\nA: 1\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n", 2},
		"without the last break":  {"multipart/mixed; boundary=b", "--b\r\n\r\nx\r\n--b--", 1},
		"an empty part":           {"multipart/form-data; boundary=b", "--b\r\n\r\n--b--", 1},
		"a quoted boundary":       {`Multipart/Related; boundary="a b"; type="text/xml"`, "--a b\r\n\r\nx\r\n--a b--", 1},
		"no part":                 {"multipart/form-data; boundary=b", "--b--\r\n", 0},
		"no part, after a break":  {"multipart/form-data; boundary=b", "\r\n--b--\r\n", 0},
		"another type":            {"text/plain; boundary=b", "--b\r\n\r\nx\r\n--b--", -1},
		"no boundary":             {"multipart/form-data", "--b\r\n\r\nx\r\n--b--", -1},
		"an empty boundary":       {`multipart/form-data; boundary=""`, "--\r\n\r\nx\r\n----", -1},
		"two boundaries":          {"multipart/form-data; boundary=b; boundary=c", "--b\r\n\r\nx\r\n--b--", -1},
		"a boundary too long":     {"multipart/form-data; boundary=" + strings.Repeat("b", 71), "--" + strings.Repeat("b", 71) + "--", -1},
		"a boundary of others":    {"multipart/form-data; boundary=b*", "--b*--", -1},
		"a boundary with a blank": {`multipart/form-data; boundary="b "`, "--b --", -1},
		"another boundary":        {"multipart/form-data; boundary=c", "--b\r\n\r\nx\r\n--b--", -1},
		"a preamble":              {"multipart/form-data; boundary=b", "hello\r\n--b\r\n\r\nx\r\n--b--", -1},
		"a break before a part":   {"multipart/form-data; boundary=b", "\r\n--b\r\n\r\nx\r\n--b--", -1},
		"an epilogue":             {"multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--\r\nbye", -1},
		"no end":                  {"multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n", -1},
		"half an end":             {"multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b-", -1},
		"white space at a line":   {"multipart/form-data; boundary=b", "--b \r\n\r\nx\r\n--b--", -1},
		"line feeds":              {"multipart/form-data; boundary=b", "--b\n\nx\n--b--\n", -1},
		"a line feed":             {"multipart/form-data; boundary=b", "--b\r\n\r\nx\n--b\r\n\r\ny\r\n--b--", -1},
		"the boundary in a part":  {"multipart/form-data; boundary=b", "--b\r\n\r\nx--b\r\n--b--", -1},
		"its beginning on a line": {"multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--bb\r\n--b--", -1},
		"nothing":                 {"multipart/form-data; boundary=b", "", -1},
	} {
		c, canonical := newFingerprinter(Fingerprint{CanonicalMultipart: true}).content(request("POST", "/", tt.contentType), []byte(tt.body))
		if canonical != (tt.parts >= 0) || canonical && c.parts != tt.parts || string(c.text) != tt.body {
			t.Errorf("%s: canonical is %v, %+v", name, canonical, c)
		}
	}
}

// Taking a body apart takes no memory, however many parts it claims to have.
func TestMultipartAllocates(t *testing.T) {
	prints := newFingerprinter(Fingerprint{CanonicalMultipart: true})
	r := request("POST", "/", "multipart/form-data; boundary=b")
	for name, item := range map[string]string{"parts": "\r\n\r\n--b", "near ends": "\r\n--b-", "beginnings": "--b", "breaks": "\r\n--"} {
		body := []byte("--b" + strings.Repeat(item, (1<<20)/len(item)) + "--")
		if n, _ := leastAllocated(func() { prints.of(r, body) }); n > 64<<10 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

// What is taken apart can be put together again, so two bodies of the same parts differ in their
// boundary only; and Go's own reader finds the same parts.
func FuzzMultipart(f *testing.F) {
	f.Add("b", []byte("--b\r\nA: 1\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"))
	f.Add("b", []byte("\r\n--b--\r\n"))
	f.Add("b", []byte("--b\r\n\r\n--b--"))
	f.Add("-", []byte("---\r\n\r\nx\r\n----"))
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		if len(boundary) > maxBoundary || boundaryChars.Span(boundary) < len(boundary) || strings.HasSuffix(boundary, " ") {
			return
		}
		var parts [][]byte
		n, ok := eachPart(body, boundary, func(part []byte) { parts = append(parts, part) })
		if !ok {
			return
		}
		again := []byte("--" + boundary)
		for _, p := range parts {
			again = slices.Concat(again, []byte("\r\n"), p, []byte("\r\n--"+boundary))
		}
		again = append(again, "--"...)
		if trimmed := bytes.TrimSuffix(bytes.TrimPrefix(body, []byte("\r\n")), []byte("\r\n")); n != len(parts) || !bytes.Equal(again, trimmed) {
			t.Fatalf("%q: %d parts, %q", body, n, parts)
		}
		r := multipart.NewReader(bytes.NewReader(body), boundary)
		for _, want := range parts {
			p, err := r.NextRawPart()
			if err != nil {
				return // headers that it does not read
			}
			got, err := io.ReadAll(p)
			if err != nil || !bytes.HasSuffix(want, got) {
				t.Errorf("%q has %q, and by mime/multipart %q, %v", body, want, got, err)
			}
		}
		if _, err := r.NextRawPart(); err != io.EOF {
			t.Errorf("%q: mime/multipart finds more than %d parts: %v", body, n, err)
		}
	})
}
