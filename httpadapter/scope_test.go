package httpadapter

import (
	"errors"
	"net/http"
	"testing"
)

func TestScopeHeader(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header http.Header
		want   string
		fails  bool
	}{
		{"one value", http.Header{"X-Account": {"a"}}, "a", false},
		{"one value, to the byte", http.Header{"X-Account": {"A\x00b, c"}}, "A\x00b, c", false},
		{"one value, with white space around it as HTTP/2 leaves it", http.Header{"X-Account": {"\t A b  "}}, "A b", false},
		{"white space", http.Header{"X-Account": {" \t"}}, "", true},
		{"none", http.Header{"X-Other": {"a"}}, "", true},
		{"an empty one", http.Header{"X-Account": {""}}, "", true},
		{"no values", http.Header{"X-Account": {}}, "", true},
		{"two", http.Header{"X-Account": {"a", "b"}}, "", true},
		{"two that agree", http.Header{"X-Account": {"a", "a"}}, "", true},
	} {
		for _, name := range []string{"X-Account", "x-account", "X-ACCOUNT"} {
			got, err := ScopeHeader(name)(&http.Request{Header: tc.header})
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("%s by %s: got %q, %v", tc.name, name, got, err)
			}
		}
	}
}

func TestGlobalScopeIsOne(t *testing.T) {
	a, err1 := GlobalScope(&http.Request{Header: http.Header{"X-Account": {"a"}}})
	b, err2 := GlobalScope(&http.Request{})
	if a != b || err1 != nil || err2 != nil {
		t.Errorf("got %q, %q, %v, %v", a, b, err1, err2)
	}
}

func TestScopeFunc(t *testing.T) {
	nobody := errors.New("nobody")
	r := &http.Request{}
	got, err := ScopeFunc(func(given *http.Request) (string, error) {
		if given != r {
			t.Error("another request")
		}
		return "a", nobody
	})(r)
	if got != "a" || err != nobody {
		t.Errorf("got %q, %v", got, err)
	}
}
