package charset

import "testing"

func TestSpan(t *testing.T) {
	set := New("a-c", "-", "\x80-\xff")
	for s, want := range map[string]int{"": 0, "abc-": 4, "abd": 2, "d": 0, "aéb ": 4, "`": 0} {
		if got := set.Span(s); got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	}
	if none := New(); none.Span("a") != 0 {
		t.Error("a set of nothing has something")
	}
}
