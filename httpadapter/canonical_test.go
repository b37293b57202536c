package httpadapter

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	const asItStands = "as it stands"
	omitting := func(pointers ...string) Fingerprint { return Fingerprint{Omit: pointers} }
	json := Fingerprint{CanonicalJSON: true}
	for _, tt := range []struct {
		name      string
		cfg       Fingerprint
		mediaType string
		body      string
		want      string
	}{
		{"order and white space", json, "application/json", "{ \"b\": 1,\n\"a\": [ true, null ] }", `{"a":[true,null],"b":1}`},
		{"escapes", json, "application/json", `{"a":"\u0041\/"}`, `{"a":"A/"}`},
		{"numbers", json, "application/json", `[1.0,1e2,-0,0.10]`, `[1,100,0,0.1]`},
		{"based on JSON", json, "Application/Merge-Patch+JSON; charset=utf-8", `{ }`, `{}`},
		{"scalar", json, "application/json", " 7 ", "7"},
		{"off", Fingerprint{}, "application/json", `{ }`, asItStands},
		{"no JSON by its type", json, "text/plain", `{ }`, asItStands},
		{"no type", json, "", `{ }`, asItStands},
		{"no JSON", json, "application/json", `{ "a": }`, asItStands},
		{"empty", json, "application/json", ``, asItStands},
		{"two documents", json, "application/json", `{ } { }`, asItStands},
		{"duplicate members", json, "application/json", `{ "a":1, "a":2 }`, asItStands},
		{"duplicate members by escapes", json, "application/json", `{ "a":1, "\u0061":2 }`, asItStands},
		{"lone surrogate", json, "application/json", `{ "a":"\ud800" }`, asItStands},
		{"15 digits", json, "application/json", `[ 123456789012345 ]`, `[123456789012345]`},
		{"16 digits", json, "application/json", `[ 1234567890123456 ]`, asItStands},
		{"zeros are no digits", json, "application/json", `[ 0.001230000000000000000000000000e3 ]`, `[1.23]`},
		{"beyond float64", json, "application/json", `[ 1e400 ]`, asItStands},
		{"below float64", json, "application/json", `[ 1e-400 ]`, asItStands},
		{"subnormal", json, "application/json", `[ 5e-324 ]`, asItStands},
		{"too deep", json, "application/json", strings.Repeat("[ ", 20_000) + strings.Repeat("]", 20_000), asItStands},

		{"member", omitting("/sent"), "application/json", `{"sent":"now", "a":1}`, `{"a":1}`},
		{"member within", omitting("/client/sent"), "application/json", `{"client":{"sent":1,"id":2},"sent":3}`, `{"client":{"id":2},"sent":3}`},
		{"several", omitting("/a", "/b/c"), "application/json", `{"a":1,"b":{"c":2},"d":3}`, `{"b":{},"d":3}`},
		{"element", omitting("/a/1"), "application/json", `{"a":[1,2,3]}`, `{"a":[1,null,3]}`},
		{"within an element", omitting("/0/x"), "application/json", `[{"x":1,"y":2}]`, `[{"y":2}]`},
		{"escaped pointer", omitting("/a~1b", "/c~0d", "/~01"), "application/json", `{"a/b":1,"c~d":2,"~1":3,"e":4}`, `{"e":4}`},
		{"nothing there", omitting("/x/y", "/a/b", "/c/07", "/c/9"), "application/json", `{ "a":1,"c":[5] }`, `{"a":1,"c":[5]}`},
		{"HTML is no matter", omitting("/x"), "application/json", `{"x":0,"a":"<&>"}`, `{"a":"<&>"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == asItStands {
				tt.want = tt.body
			}
			r := request("POST", "/", tt.mediaType)
			if got := newFingerprinter(tt.cfg).canonical(r, []byte(tt.body)); string(got) != tt.want {
				t.Errorf("got  %.60s\nwant %.60s", got, tt.want)
			}
		})
	}
}

func TestPointers(t *testing.T) {
	for p, want := range map[string]bool{"/": true, "/a": true, "/a/0/b~0~1": true, "": false, "a": false, "/~": false, "/~2": false} {
		if isPointer(p) != want {
			t.Errorf("%q: got %v", p, !want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"c":"\u00e9"}`, `[1e21,0.1,-0]`, `{"a":1,"a":2}`, `"\ud800"`, ``} {
		f.Add([]byte(s))
	}
	plain, omitting := newFingerprinter(Fingerprint{CanonicalJSON: true}), newFingerprinter(Fingerprint{Omit: []string{"/a/0", "/b"}})
	r := request("POST", "/", "application/json")
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range []*fingerprinter{plain, omitting} {
			once := p.canonical(r, body)
			if again := p.canonical(r, once); string(again) != string(once) {
				t.Errorf("%q becomes %q, and that %q", body, once, again)
			}
		}
	})
}
