package httpadapter_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// What becomes of an answer: it is stored, or the next request is the first, or the next attempt.
func TestWhatIsStored(t *testing.T) {
	const isStored, isReleased, isAbandoned = "stored", "released", "abandoned"
	statuses := []int{200, 201, 204, 299, 301, 304, 400, 401, 403, 404, 408, 409, 410, 421, 422, 423, 425, 429, 499, 500, 503, 599}
	passing := []int{401, 403, 408, 409, 421, 423, 425, 429}
	byDefault := func(status int) string {
		switch {
		case status >= 500:
			return isAbandoned
		case slices.Contains(passing, status):
			return isReleased
		}
		return isStored
	}
	for _, tc := range []struct {
		name string
		set  setup
		want func(int) string
	}{
		{"by default", setup{}, byDefault},
		{"final", setup{http: func(c *httpadapter.Config) { c.Stores = httpadapter.StoreFinal }}, byDefault},
		{"as the dialect says", setup{http: func(c *httpadapter.Config) { c.Dialect, c.Stores = keepsTeapots{}, httpadapter.StoreAsDialect }}, func(status int) string {
			if status >= 500 {
				return isAbandoned
			}
			return map[bool]string{true: isStored, false: isReleased}[status == 418 || status == 201]
		}},
		{"success", setup{http: func(c *httpadapter.Config) { c.Stores = httpadapter.StoreSuccess }}, func(status int) string {
			switch {
			case status < 300:
				return isStored
			case status < 500:
				return isReleased
			}
			return isAbandoned
		}},
		{"all", setup{http: func(c *httpadapter.Config) { c.Stores = httpadapter.StoreAll }}, func(int) string { return isStored }},
		{"by a function, before all else", setup{http: func(c *httpadapter.Config) {
			c.Stores = httpadapter.StoreAll
			c.StoresFunc = func(status int, h http.Header) bool { return h.Get("X-Status") == "503" && status == 503 }
		}}, func(status int) string {
			switch {
			case status == 503:
				return isStored
			case status < 500:
				return isReleased
			}
			return isAbandoned
		}},
		{"failures are released", setup{replay: func(c *replay.Config) { c.OnFailure = replay.ReleaseFailed }}, func(status int) string {
			if status >= 500 {
				return isReleased
			}
			return byDefault(status)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					a, ok := replay.AttemptFrom(r.Context())
					if !ok {
						t.Error("no attempt")
					}
					status, _ := strconv.Atoi(r.URL.Query().Get("status"))
					w.Header().Set("X-Attempt", strconv.Itoa(a.Number))
					w.Header().Set("X-Status", strconv.Itoa(status))
					w.WriteHeader(status)
				}, tc.set)
				for _, status := range statuses {
					ask := func() answer {
						return s.post("order", key(strconv.Itoa(status)), func(r *http.Request) { r.URL.RawQuery = fmt.Sprint("status=", status) })
					}
					first, second := ask(), ask()
					if first.status != status || first.header.Get("X-Attempt") != "1" {
						t.Errorf("%d: the first is %s", status, first.text())
					}
					got := isReleased
					if second.header[replayed] != nil {
						got = isStored
						second.replays(t, first)
					} else if second.header.Get("X-Attempt") == "2" {
						got = isAbandoned
					}
					if want := tc.want(status); got != want {
						t.Errorf("%d: %s, want it %s", status, got, want)
					}
				}
			})
		})
	}
}

type keepsTeapots struct{ dialect.Problem }

func (keepsTeapots) Stores(status int) bool { return status == 418 || status == 201 }

type marksTeapots struct{ dialect.Problem }

func (marksTeapots) Marker(key string) (name, value string) { return "teapot-replayed", key }

func TestDialectMarksReplays(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Teapot-Replayed", "by the handler")
			writes(201, "created")(w, r)
		}, setup{http: func(c *httpadapter.Config) { c.Dialect = marksTeapots{} }})
		s.post("order", key("k"))
		if a := s.post("order", key("k")); !slices.Equal(a.header["Teapot-Replayed"], []string{"k"}) || a.header[replayed] != nil {
			t.Errorf("got %v", a.header)
		}
	})
}

// 101 ends HTTP on the connection: nothing that could be replayed.
func TestSwitchingProtocolsIsNotStored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(101) },
			setup{http: func(c *httpadapter.Config) { c.Stores = httpadapter.StoreAll }})
		for range 2 {
			if a := s.post("order"); a.status == 500 || a.header[replayed] != nil {
				t.Errorf("got %s", a.text())
			}
		}
		s.ran(2)
	})
}

func TestRetentionOverHTTP(t *testing.T) {
	classes := func(c *httpadapter.Config) {
		c.TTL2xx, c.TTL3xx, c.TTL4xx, c.TTL5xx = 2*time.Minute, 3*time.Minute, 4*time.Minute, 5*time.Minute
		c.Stores = httpadapter.StoreAll
	}
	for _, tc := range []struct {
		name   string
		set    func(*httpadapter.Config)
		status int
		want   time.Duration
	}{
		{"the engine's", nil, 201, time.Hour},
		{"of its class", classes, 201, 2 * time.Minute},
		{"of its class", classes, 303, 3 * time.Minute},
		{"of its class", classes, 404, 4 * time.Minute},
		{"of its class", classes, 503, 5 * time.Minute},
		{"the engine's, for a class that there is not", classes, 777, time.Hour},
		{"the engine's, for a class without one", func(c *httpadapter.Config) { c.TTL4xx = time.Minute }, 201, time.Hour},
		{"by a function", func(c *httpadapter.Config) {
			classes(c)
			c.TTLFunc = func(status int, h http.Header) time.Duration {
				return map[bool]time.Duration{true: 7 * time.Second}[status == 201 && h.Get("Content-Type") == "text/plain"]
			}
		}, 201, 7 * time.Second},
		{"of its class, where the function has none", func(c *httpadapter.Config) {
			classes(c)
			c.TTLFunc = func(int, http.Header) time.Duration { return 0 }
		}, 201, 2 * time.Minute},
		{"of its class, where the function is wrong", func(c *httpadapter.Config) {
			classes(c)
			c.TTLFunc = func(int, http.Header) time.Duration { return -1 }
		}, 201, 2 * time.Minute},
	} {
		t.Run(fmt.Sprint(tc.name, " ", tc.status), func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, writes(tc.status, "done"), setup{http: tc.set, replay: func(c *replay.Config) { c.Retention = time.Hour }})
				s.post("order").isFresh(t, tc.status, "done")
				if ttl := f.Redis.TTL(f.OnlyKey()); ttl != tc.want {
					t.Errorf("kept for %v, want %v", ttl, tc.want)
				}
			})
		})
	}
}
