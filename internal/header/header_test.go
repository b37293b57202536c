package header

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Over HTTP the filter is tested with httpadapter; here is what lower-case keys and a beginning in
// never add.
func TestFilter(t *testing.T) {
	never := slices.Concat(Never, []string{"grpc-*", ":*"})
	for _, tt := range []struct {
		allow, deny, kept, out string
	}{
		{kept: "x-a grpc date-x", out: "te upgrade content-length grpc-status grpc- :path set-cookie date proxy-x x-should-retry"},
		{allow: "Set-Cookie access-control-*", kept: "set-cookie access-control-max-age x-a", out: "date grpc-status"},
		{deny: "X-Internal-* etag", kept: "x-a x-internal", out: "x-internal-a etag date"},
		{allow: "x-a date", deny: "*", kept: "x-a date", out: "x-b etag grpc-status"},
		{allow: "*", kept: "x-a date", out: "grpc-status :path te"},
	} {
		f, err := NewFilter(strings.ToLower, never, strings.Fields(tt.allow), strings.Fields(tt.deny))
		if err != nil {
			t.Errorf("allow %q, deny %q: %v", tt.allow, tt.deny, err)
			continue
		}
		for names, want := range map[string]bool{tt.kept: true, tt.out: false} {
			for name := range strings.FieldsSeq(names) {
				if f.Keeps(name) != want {
					t.Errorf("allow %q, deny %q: %s is kept: %t", tt.allow, tt.deny, name, !want)
				}
			}
		}
	}
}

func TestFilterFaults(t *testing.T) {
	for _, tt := range []struct{ allow, deny, fault string }{
		{allow: "grpc-status", fault: "can't be allowed"},
		{allow: "Te", fault: "can't be allowed"},
		{allow: "a:b", fault: "want a header name"},
		{deny: "*a*", fault: "want a header name"},
		{allow: "x-a", deny: "X-A", fault: "both allowed and denied"},
		{allow: "x-*", deny: "X-*", fault: "both allowed and denied"},
	} {
		_, err := NewFilter(strings.ToLower, slices.Concat(Never, []string{"grpc-*"}), strings.Fields(tt.allow), strings.Fields(tt.deny))
		if err == nil || !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("allow %q, deny %q: got %v, want %s", tt.allow, tt.deny, err, tt.fault)
		}
	}
}

func TestLeftOut(t *testing.T) {
	got := LeftOut(http.CanonicalHeaderKey, []string{"x-ours", "date"})
	if !slices.IsSorted(got) || !slices.Contains(got, "X-Ours") || !slices.Contains(got, "X-Ratelimit-*") || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("got %q", got)
	}
}
