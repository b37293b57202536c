package httpadapter

import (
	"bytes"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
)

func filter(t testing.TB, allow, deny []string) headerFilter {
	t.Helper()
	f, err := newHeaderFilter(allow, deny, dialect.Problem{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The contract's list in lower case, told once more, so that one that is lost from the code is
// missed.
var (
	contractNames = []string{"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "date", "age",
		"content-length", "set-cookie", "www-authenticate", "authentication-info", "retry-after", "server-timing", "alt-svc",
		"x-should-retry", "stripe-should-retry", "retry-after-ms",
		"via", "clear-site-data", "traceparent", "tracestate", "x-request-id", "request-id",
		"idempotency-replayed", "idempotent-replayed", "idempotency-key", "idempotency-stored"}
	contractPrefixes = []string{"proxy-", "ratelimit", "x-ratelimit-", "access-control-"}
)

func contractDenies(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(contractNames, name) ||
		slices.ContainsFunc(contractPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

func TestKeepLeavesOut(t *testing.T) {
	names := slices.Concat(contractNames, []string{"proxy-authenticate", "proxy-x", "ratelimit", "ratelimit-limit",
		"ratelimit-policy", "x-ratelimit-remaining", "access-control-allow-origin"})
	f := filter(t, nil, nil)
	for _, name := range names {
		for _, spelled := range []string{name, strings.ToUpper(name), http.CanonicalHeaderKey(name)} {
			h := http.Header{spelled: {"v"}, "Content-Type": {"text/plain"}}
			if want := (http.Header{"Content-Type": {"text/plain"}}); !reflect.DeepEqual(f.keep(h), want) {
				t.Errorf("%s: kept %v", spelled, f.keep(h))
			}
			if got := f.keep(http.Header{spelled: {"v"}}); got != nil {
				t.Errorf("%s alone: kept %v, want nil", spelled, got)
			}
		}
	}
}

func TestKeep(t *testing.T) {
	for _, tt := range []struct {
		name        string
		allow, deny []string
		h, want     http.Header
	}{
		{name: "ordinary headers",
			h:    http.Header{"Content-Type": {"a/b"}, "Etag": {`"1"`}, "Location": {"/1"}, "Content-Encoding": {"gzip"}, "X": {"1", "2"}},
			want: http.Header{"Content-Type": {"a/b"}, "Etag": {`"1"`}, "Location": {"/1"}, "Content-Encoding": {"gzip"}, "X": {"1", "2"}}},
		{name: "names that look like denied ones",
			h:    http.Header{"Dated": {"1"}, "Proxy": {"1"}, "X-Ratelimit": {"1"}, "X-Date": {"1"}, "Set-Cookie2": {"1"}},
			want: http.Header{"Dated": {"1"}, "Proxy": {"1"}, "X-Ratelimit": {"1"}, "X-Date": {"1"}, "Set-Cookie2": {"1"}}},
		{name: "what Connection names",
			h:    http.Header{"Connection": {"close, X-hop", ",\tother "}, "X-Hop": {"1"}, "Other": {"1"}, "Stays": {"1"}},
			want: http.Header{"Stays": {"1"}}},
		{name: "what a Connection in small letters names",
			h: http.Header{"connection": {"x-hop"}, "X-Hop": {"1"}, "x-hop": {"2"}}},
		{name: "small letters made canonical",
			h: http.Header{"x-custom": {"1"}}, want: http.Header{"X-Custom": {"1"}}},
		{name: "several spellings in order",
			h:    http.Header{"x-custom": {"4"}, "X-Custom": {"1", "2"}, "X-CUSTOM": {"3"}},
			want: http.Header{"X-Custom": {"1", "2", "3", "4"}}},
		{name: "no values",
			h: http.Header{"Content-Type": nil, "Date": nil}, want: http.Header{"Content-Type": {}}},
		{name: "trailers by prefix and no names at all",
			h: http.Header{http.TrailerPrefix + "X-Sum": {"1"}, "": {"1"}, "a b": {"1"}, "é": {"1"}, "Set-Cookie ": {"1"}, "a\n": {"1"}}},
		{name: "values that are none", // but net/http sends a line break as a space
			h: http.Header{"A": {"fine", "\x00"}, "B": {"\x7f"}, "c": {"\x1b"}, "D": {"a\r\nb", "\t", "é\xff"}}, want: http.Header{"D": {"a\r\nb", "\t", "é\xff"}}},
		{name: "nothing", h: http.Header{}},
		{name: "nil"},
		{name: "allowed", allow: []string{"set-cookie", "access-control-*"},
			h:    http.Header{"Set-Cookie": {"a=1"}, "Access-Control-Max-Age": {"1"}, "Via": {"x"}},
			want: http.Header{"Set-Cookie": {"a=1"}, "Access-Control-Max-Age": {"1"}}},
		{name: "denied", deny: []string{"x-internal-*", "ETag"},
			h:    http.Header{"X-Internal-A": {"1"}, "Etag": {"1"}, "X-Internal": {"1"}, "Via": {"x"}},
			want: http.Header{"X-Internal": {"1"}}},
		{name: "only these", allow: []string{"Content-Type", "Location", "Date"}, deny: []string{"*"},
			h:    http.Header{"Content-Type": {"a/b"}, "Etag": {"1"}, "Date": {"now"}},
			want: http.Header{"Content-Type": {"a/b"}, "Date": {"now"}}},
		{name: "all that can be", allow: []string{"*"},
			h: http.Header{"Via": {"x"}, "Content-Length": {"1"}, "Te": {"1"}, "Trailer": {"X"}, "Transfer-Encoding": {"chunked"},
				"Idempotency-Replayed": {"true"}, "Idempotent-Replayed": {"true"}, "Idempotency-Key": {"k"},
				"Idempotency-Stored": {"false"}, "Connection": {"X-Hop"}, "X-Hop": {"1"},
				"Keep-Alive": {"1"}, "Upgrade": {"h2c"}, "X-Should-Retry": {"false"}, "Stripe-Should-Retry": {"false"}, "Retry-After-Ms": {"5"}},
			want: http.Header{"Via": {"x"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := filter(t, tt.allow, tt.deny)
			for range 50 { // in whatever order the map is walked
				if got := f.keep(tt.h); !reflect.DeepEqual(got, tt.want) {
					t.Fatalf("got  %v\nwant %v", got, tt.want)
				}
			}
		})
	}
}

// The exported list has all that the contract names and no more, each of them left out, and is the
// caller's own.
func TestHeadersLeftOut(t *testing.T) {
	list := HeadersLeftOut()
	want := slices.Clone(contractNames)
	for _, prefix := range contractPrefixes {
		want = append(want, prefix+"*")
	}
	want = append(want, "idempotency-shadow", "idempotency-attempt")
	slices.Sort(want)
	if got := strings.Fields(strings.ToLower(strings.Join(list, " "))); !slices.Equal(got, want) || !slices.IsSorted(list) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	f := filter(t, nil, nil)
	for _, entry := range list {
		name := strings.Replace(entry, "*", "x", 1)
		if f.keep(http.Header{name: {"v"}}) != nil {
			t.Errorf("%s is kept", entry)
		}
	}
	list[0] = "changed"
	if HeadersLeftOut()[0] == "changed" {
		t.Error("it is shared")
	}
}

// The handler goes on writing to its map, and the record to its own.
func TestKeepSharesNothing(t *testing.T) {
	h := http.Header{"A": {"1"}, "B": {"2"}, "Date": {"now"}}
	kept := filter(t, nil, nil).keep(h)
	h["A"][0], h["C"] = "changed", []string{"3"}
	kept.Add("A", "4")
	kept.Add("B", "5")
	if want := (http.Header{"A": {"1", "4"}, "B": {"2", "5"}}); !reflect.DeepEqual(kept, want) {
		t.Errorf("got %v, want %v", kept, want)
	}
	if want := (http.Header{"A": {"changed"}, "B": {"2"}, "Date": {"now"}, "C": {"3"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("the handler's header became %v", h)
	}
}

func TestHeaderFilterFaults(t *testing.T) {
	_, err := newHeaderFilter([]string{"Content-Length", "idempotency-replayed", "ETag", "a b", "X-*"}, []string{"", "etag", "X-*", "*-a", "é*"}, dialect.Problem{})
	if err == nil {
		t.Fatal("want an error")
	}
	want := strings.Join([]string{
		`"Content-Length": can't be allowed, it is made anew for each answer`,
		`"idempotency-replayed": can't be allowed, it is made anew for each answer`,
		`"a b": want a header name, or the beginning of one and an asterisk`,
		`"": want a header name, or the beginning of one and an asterisk`,
		`"etag": is both allowed and denied`,
		`"X-*": is both allowed and denied`,
		`"*-a": want a header name, or the beginning of one and an asterisk`,
		`"é*": want a header name, or the beginning of one and an asterisk`,
	}, "\n")
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// What counts is what a client could see of a replay: so the kept header is written as net/http
// writes it.
func FuzzHeaderKeep(f *testing.F) {
	// Seeds are in testdata/fuzz/FuzzHeaderKeep.
	filter := filter(f, nil, nil)
	f.Fuzz(func(t *testing.T, name, other, value, connection string) {
		h := http.Header{name: {value}, "connection": {connection}}
		h[other] = append(h[other], value, value)
		kept := filter.keep(h)
		for k, vv := range kept {
			if k != http.CanonicalHeaderKey(k) || strings.HasPrefix(k, http.TrailerPrefix) || contractDenies(k) {
				t.Fatalf("%q: kept %q", h, k)
			}
			for hop := range strings.SplitSeq(connection, ",") {
				if strings.EqualFold(strings.Trim(hop, " \t"), k) && other != "connection" && name != "connection" {
					t.Fatalf("%q: kept %q", h, k)
				}
			}
			if !slices.ContainsFunc(vv, func(v string) bool { return v == value }) {
				t.Fatalf("%q: %q has %q", h, k, vv)
			}
		}
		var wire bytes.Buffer
		kept.Write(&wire)
		for line := range strings.SplitSeq(strings.TrimSuffix(wire.String(), "\r\n"), "\r\n") {
			if name, _, ok := strings.Cut(line, ":"); ok && contractDenies(name) || !ok && line != "" {
				t.Fatalf("%q: wrote %q", h, line)
			}
		}
	})
}

func BenchmarkHeaderKeep(b *testing.B) {
	f := filter(b, nil, nil)
	h := http.Header{"Content-Type": {"application/json"}, "Location": {"/v1/orders/1"}, "Etag": {`"1"`},
		"Cache-Control": {"no-store"}, "Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}, "X-Request-Id": {"8e03978e-40d5-43dd-bc93-6894a57f9324"}}
	b.ReportAllocs()
	for b.Loop() {
		if len(f.keep(h)) != 4 {
			b.Fatal(f.keep(h))
		}
	}
}
