package httpadapter_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
)

// echo answers with what it got.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%d %v %d %v %v", len(b), err, r.ContentLength, r.TransferEncoding, r.Trailer)
	if err := r.Body.Close(); err != nil {
		panic(err)
	}
}

func capped(n int64) setup {
	return setup{http: func(c *httpadapter.Config) { c.MaxBody = n }}
}

func chunked(r *http.Request) { r.ContentLength = -1 }

func TestHandlerGetsTheWholeBody(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, echo, raised)
		for _, size := range []int{0, 1, 511, 512, 513, 64 << 10, 4 << 20} {
			for name, edit := range map[string]func(*http.Request){"with a length": func(*http.Request) {}, "in chunks": chunked} {
				a := s.post(bubble.Noise(size), key(fmt.Sprint(size, name[:2])), edit)
				if want := fmt.Sprintf("%d <nil> %d [] map[]", size, size); a.body != want {
					t.Errorf("%d %s: got %q, want %q", size, name, a.body, want)
				}
			}
		}
	})
}

func TestHandlerGetsTheBodyAsItCame(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		body := bubble.Noise(10_000)
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			if b, err := io.ReadAll(r.Body); string(b) != body || err != nil {
				t.Errorf("another body: %d bytes, %v", len(b), err)
			}
			if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("after the end: %d, %v", n, err)
			}
			if got := r.Trailer.Get("X-Sum"); got != "42" {
				t.Errorf("trailer %q", got)
			}
			w.WriteHeader(204)
		})
		a := s.post("", func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
			r.Trailer = http.Header{"X-Sum": {"42"}}
		})
		a.isFresh(t, 204, "")
	})
}

func TestHandlerMayLeaveTheBody(t *testing.T) {
	fresh := twice(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "unread") })
	if fresh.body != "unread" {
		t.Error(fresh.text())
	}
}

func TestBodyOverTheCap(t *testing.T) {
	for name, edit := range map[string]func(*http.Request){"by Content-Length": func(*http.Request) {}, "by chunks": chunked} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, echo, capped(1000))
				a := s.post(bubble.Noise(1001), edit)
				a.isProblem(t, 413, "body-too-large", "")
				if !strings.Contains(a.body, "1000 bytes") {
					t.Errorf("it does not say what is accepted: %s", a.body)
				}
				s.ran(0)
				if got := s.Trips(); len(got) != 0 || len(f.Redis.Keys()) != 0 {
					t.Errorf("it takes %q, and %q is stored", got, f.Redis.Keys())
				}
				a = s.post(bubble.Noise(1000), edit) // nor is the key used up
				a.isFresh(t, 200, "1000 <nil> 1000 [] map[]")
			})
		})
	}
}

// What is over the cap is refused by its beginning, without waiting for the rest.
func TestBodyFarOverTheCap(t *testing.T) {
	head := "POST /orders HTTP/1.1\r\nHost: api.test\r\nX-Account: " + rawScope + "\r\nIdempotency-Key: " + rawKey + "\r\n"
	for name, upload := range map[string]string{
		"by Content-Length": head + "Content-Length: 99999999999\r\n\r\nbegun",
		"by chunks":         head + "Transfer-Encoding: chunked\r\n\r\n5f5e0ff\r\n" + bubble.Noise(1001),
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, echo, capped(1000))
				c := s.dialRaw(upload)
				defer c.Close()
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || resp.StatusCode != 413 || !resp.Close {
					t.Errorf("got %v, %v, want 413 and the connection closed", resp, err)
				}
				s.ran(0)
			})
		})
	}
}

// dialRaw opens a connection to the site and sends a request as it stands.
func (s *site) dialRaw(text string) net.Conn {
	s.t.Helper()
	c, err := s.client.Transport.(*http.Transport).DialContext(bg, "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestTruncatedUpload(t *testing.T) {
	head := "POST /orders HTTP/1.1\r\nHost: api.test\r\nX-Account: " + rawScope + "\r\nIdempotency-Key: " + rawKey + "\r\n"
	for name, upload := range map[string]string{
		"by Content-Length": head + "Content-Length: 10\r\n\r\nhalf",
		"by chunks":         head + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n5\r\nha",
		"in broken chunks":  head + "Transfer-Encoding: chunked\r\n\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, echo, setup{around: func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Second))
						h.ServeHTTP(w, r)
					})
				}})
				c := s.dialRaw(upload) // and no more comes
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				c.Close()
				if resp.StatusCode != 400 || !strings.Contains(string(b), `"body-incomplete"`) || resp.Header.Get("Retry-After") != "" {
					t.Errorf("got %s: %s", resp.Status, b)
				}
				s.ran(0)
				if len(s.Trips()) != 0 {
					t.Error("Redis is asked")
				}
				s.post("whole").isFresh(t, 200, "5 <nil> 5 [] map[]") // the key is not used up
				synctest.Wait()
			})
		})
	}
}

// A handler around us that reads of the body takes it out of the fingerprint: refuse, or two requests
// would be one.
func TestBodyThatWasReadBefore(t *testing.T) {
	some := func(n int) func(r *http.Request) {
		return func(r *http.Request) { _, _ = io.ReadFull(r.Body, make([]byte, n)) }
	}
	asForm := func(r *http.Request) { _ = r.ParseForm() }
	form := header("Content-Type", "application/x-www-form-urlencoded")
	for name, tt := range map[string]struct {
		read func(*http.Request)
		edit []func(*http.Request)
	}{
		"a part":                {some(3), nil},
		"all of it":             {some(5), nil},
		"and beyond":            {some(99), nil},
		"after Expect":          {some(3), []func(*http.Request){header("Expect", "100-continue")}},
		"all, behind another":   {func(r *http.Request) { r.Body = struct{ io.ReadCloser }{r.Body}; some(5)(r) }, nil},
		"as a form":             {asForm, []func(*http.Request){form}},
		"as a form, in chunks":  {asForm, []func(*http.Request){form, chunked}},
		"as a form, and capped": {func(r *http.Request) { r.Body = http.MaxBytesReader(nil, r.Body, 99); asForm(r) }, []func(*http.Request){form}},
	} {
		for protocol, setting := range map[string]setup{"HTTP/1": {}, "HTTP/2": http2} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					s := newSite(t, f, echo, setting, doingBefore(tt.read))
					s.post("a=b&c", tt.edit...).isProblem(t, 400, "body-incomplete", "")
					s.ran(0)
				})
			})
		}
	}
}

// doingBefore does something with each request before the adapter gets it.
func doingBefore(do func(*http.Request)) setup {
	return setup{around: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			do(r)
			h.ServeHTTP(w, r)
		})
	}}
}

func zip(text string) string {
	var b strings.Builder
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// unzip does as Echo's Decompress does: ContentLength and all fields stay as they were.
func unzip(r *http.Request) {
	if z, err := gzip.NewReader(r.Body); err == nil {
		r.Body = z
	}
}

// unzipClean does as gin-contrib/gzip does, which takes the fields away.
func unzipClean(r *http.Request) {
	unzip(r)
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
}

// A handler around us that decompresses the body makes it longer than Content-Length says, or, if it is a small one,
// shorter.
func TestBodyThatIsDecompressedOutside(t *testing.T) {
	for name, settings := range map[string][]setup{
		"HTTP/1": {doingBefore(unzip)}, "HTTP/2": {doingBefore(unzip), http2}, "without its fields": {doingBefore(unzipClean)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, echo, append(settings, capped(50_000))...)
				zipped := header("Content-Encoding", "gzip")
				body := strings.Repeat("long ", 1000)
				s.post(zip(body), zipped).isFresh(t, 200, "5000 <nil> 5000 [] map[]")
				s.post(zip(body+"end"), zipped).isProblem(t, 422, "reused", "") // all of it is in the fingerprint
				s.post(zip(strings.Repeat(body, 11)), zipped, key("bomb")).isProblem(t, 413, "body-too-large", "")
				s.ran(1)
				const small = `{"amount":100,"currency":"eur"}`
				for i, text := range []string{small, "x", ""} {
					k, want := key(fmt.Sprint(i)), fmt.Sprintf("%d <nil> %[1]d [] map[]", len(text))
					if len(zip(text)) <= len(text) {
						t.Errorf("%q is no shorter", text)
					}
					s.post(zip(text), zipped, k).isFresh(t, 200, want)
					s.post(zip(text), zipped, k).isReplay(t, 200, want)
					s.post(zip(text+"!"), zipped, k).isProblem(t, 422, "reused", "")
				}
				s.ran(4)
			})
		})
	}
}

// One that breaks off is incomplete, whoever reads it.
func TestCompressedBodyThatBreaksOff(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, echo, doingBefore(unzip))
		whole := zip("an order")
		for _, n := range []int{len(whole) - 1, len(whole) - 8, 12} {
			s.post(whole[:n]).isProblem(t, 400, "body-incomplete", "")
		}
		s.post(whole[:len(whole)-1]+"?").isProblem(t, 400, "body-incomplete", "") // a wrong length at its end
		s.ran(0)
		s.post(whole).isFresh(t, 200, "8 <nil> 8 [] map[]")
	})
}

func TestOuterBodyLimit(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, echo, setup{around: func(h http.Handler) http.Handler { return http.MaxBytesHandler(h, 100) }})
		s.post(bubble.Noise(101)).isProblem(t, 413, "body-too-large", "")
		s.ran(0)
	})
}

func TestExpectContinue(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, echo)
		fresh := s.post("order", header("Expect", "100-continue"))
		fresh.isFresh(t, 200, "5 <nil> 5 [] map[]")
		s.post("order", header("Expect", "100-continue")).replays(t, fresh)
	})
}
