package httpadapter_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// The same request is the same request, whatever way it has come.

// White space around a field's value is no part of it (RFC 9110 §5.5). HTTP/2 brings it to the adapter, HTTP/1 doesn't.
func TestWhiteSpaceAroundFields(t *testing.T) {
	printed := setup{http: func(c *httpadapter.Config) { c.Fingerprint.Headers = []string{"X-Route"} }}
	account := func(name string) func(*http.Request) { return header("X-Account", name) }
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		one, two := newSite(t, f, writes(201, "one"), printed), newSite(t, f, writes(201, "two"), printed, http2)
		sites := map[string]*site{"HTTP/1": one, "HTTP/2": two}
		one.post("order", account("alice"), header("X-Route", "a b")).isFresh(t, 201, "one")
		for _, s := range sites {
			s.post("order", account("alice"), header("X-Route", "a b")).isReplay(t, 201, "one")
			s.post("order", account("alice \t"), header("X-Route", "  a b ")).isReplay(t, 201, "one")
			s.post("order", account("alice"), header("X-Route", "a  b")).isProblem(t, 422, "reused", "")
			for _, nobody := range []string{" ", "", "\t \t"} {
				s.post("order", account(nobody)).isProblem(t, 400, "unscoped", "")
			}
		}
		one.ran(1)
		two.ran(0)
	})
}

// A form whose library draws a new boundary for each try is one request if the adapter is told so.
func TestMultipartForms(t *testing.T) {
	form := func(boundary, amount string) string {
		return strings.ReplaceAll("--B\r\nContent-Disposition: form-data; name=\"amount\"\r\n\r\n"+amount+
			"\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--B--\r\n", "B", boundary)
	}
	typed := func(boundary string) func(*http.Request) {
		return header("Content-Type", "multipart/form-data; boundary="+boundary)
	}
	canonical := setup{http: func(c *httpadapter.Config) { c.Fingerprint.CanonicalMultipart = true }}
	fields := func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.FormValue("amount"))) }
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		off, on := newSite(t, f, fields), newSite(t, f, fields, canonical)
		off.post(form("aaa", "100"), typed("aaa")).isFresh(t, 200, "100")
		off.post(form("bbb", "100"), typed("bbb")).isProblem(t, 422, "reused", "")
		on.post(form("aaa", "100"), typed("aaa")).isReplay(t, 200, "100") // switched on since

		on.post(form("aaa", "100"), typed("aaa"), key("2")).isFresh(t, 200, "100")
		on.post(form("bbb", "100"), typed("bbb"), key("2")).isReplay(t, 200, "100")
		on.post(form("bbb", "999"), typed("bbb"), key("2")).isProblem(t, 422, "reused", "")
		on.post(form("bbb", "100"), typed("ccc"), key("2")).isProblem(t, 422, "reused", "") // no form by its type
		on.ran(1)
	})
}

// runJob runs work that has come by no adapter, under the engine of a site.
func runJob(s *site, job replay.Request, work func() (string, error)) error {
	_, _, err := replay.Do(bg, s.engine, job, func(context.Context) (string, error) { return work() })
	return err
}

// No fingerprint at all is another request than any, and so is one that no adapter makes: a key that a job has used, or
// is using, is used up for HTTP, and the other way round.
func TestKeysOfJobs(t *testing.T) {
	for name, fingerprint := range map[string]string{"none": "", "one of its own": "9f86d081884c7d65", "with a colon": "job:7"} {
		t.Run(name, func(t *testing.T) {
			job := replay.Request{Scope: rawScope, Key: rawKey, Fingerprint: fingerprint}
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) { // done
				s := newSite(t, f, writes(201, "no"))
				done := func() (string, error) { return "done", nil }
				if err := runJob(s, job, done); err != nil {
					t.Fatal(err)
				}
				s.post("order").isProblem(t, 422, "reused", "")
				s.post("order", key("other")).isFresh(t, 201, "no")
				job := job
				job.Key = "other"
				if err := runJob(s, job, done); !errors.Is(err, replay.ErrReused) {
					t.Errorf("got %v, want ErrReused", err)
				}
				s.ran(1)
			})
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) { // in flight
				s := newSite(t, f, writes(201, "no"))
				next, ended := make(chan struct{}), make(chan error)
				go func() {
					ended <- runJob(s, job, func() (string, error) { <-next; return "", errors.New("failed") })
				}()
				synctest.Wait()
				s.post("order").isProblem(t, 422, "reused", "")
				close(next)
				if err := <-ended; err == nil {
					t.Error("the job has not failed")
				}
				s.post("order").isProblem(t, 422, "reused", "") // abandoned
				s.ran(0)
			})
		})
	}
}
