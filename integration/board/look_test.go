package board

import (
	_ "embed"
	"testing"
)

// faint finds text whose contrast to its ground is less than WCAG 2.2's level AA wants (1.4.3).
//
//go:embed testdata/faint.js
var faint string

// wider finds tables that have to be scrolled sideways.
const wider = `[...document.querySelectorAll(".scroll")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.parentElement.id)`

// Every page fits into its width and can be read, in light and in dark.
func TestLooks(t *testing.T) {
	t.Parallel()
	s := newClusterSite(t)
	s.past(t)
	s.hold(t, "held")
	s.foreign(t, "somebody-else", "hello")
	left := s.leave(t, "left")
	record := s.record(t, "done", map[string]any{"status": 201, "header": map[string]any{"Content-Type": []any{"application/json"},
		"Location": []any{"/payments/pay_7c1"}}, "body": []byte("{\n  \"id\": \"pay_7c1\",\n  \"amount\": 1200,\n  \"state\": \"captured\"\n}\n")})
	for _, width := range []int{narrow, wide} {
		for _, dark := range []bool{false, true} {
			b := open(t, width, dark)
			fits := func(name string) {
				t.Helper()
				if over := value[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("%s is %d pixels wider than its %d", name, over, width)
				}
				for _, of := range value[[]string](b, wider) {
					t.Errorf("%s of %d pixels: more than fits is in %s", name, width, of)
				}
				for _, text := range value[[]string](b, faint) {
					t.Errorf("%s, dark %v: %s", name, dark, text)
				}
				b.shoot(name)
			}
			b.visit(s.url + "/")
			b.says("#pulse", "live: ")
			b.says("#in-flight", s.engine.Digest("acme", "held")[:12])
			b.says("#nodes", "3 primaries")
			fits("overview")
			b.visit(s.url + "/key/" + left)
			fits("key")
			b.follow(`a[href$="/release"]`)
			fits("confirm")
			b.visit(s.url + "/key/" + record)
			b.follow(`form[action$="/reveal"] button`)
			b.says("pre", "captured")
			fits("answer")
		}
	}
}
