package httpadapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestCanonical(t *testing.T) {
	const asItStands = "as it stands"
	omitting := func(pointers ...string) Fingerprint { return Fingerprint{Omit: pointers} }
	canonical := Fingerprint{CanonicalJSON: true}
	for _, tt := range []struct {
		name      string
		cfg       Fingerprint
		mediaType string
		body      string
		want      string
	}{
		{"order and white space", canonical, "application/json", "{ \"b\": 1,\n\"a\": [ true, null ] }", `{"a":[true,null],"b":1}`},
		{"escapes", canonical, "application/json", `{"a":"\u0041\/"}`, `{"a":"A/"}`},
		{"numbers", canonical, "application/json", `[1.0,1e2,-0,0.10]`, `[1,100,0,0.1]`},
		{"based on JSON", canonical, "Application/Merge-Patch+JSON; charset=utf-8", `{ }`, `{}`},
		{"scalar", canonical, "application/json", " 7 ", "7"},
		{"off", Fingerprint{}, "application/json", `{ }`, asItStands},
		{"no JSON by its type", canonical, "text/plain", `{ }`, asItStands},
		{"no type", canonical, "", `{ }`, asItStands},
		{"no JSON", canonical, "application/json", `{ "a": }`, asItStands},
		{"empty", canonical, "application/json", ``, asItStands},
		{"two documents", canonical, "application/json", `{ } { }`, asItStands},
		{"duplicate members", canonical, "application/json", `{ "a":1, "a":2 }`, asItStands},
		{"duplicate members by escapes", canonical, "application/json", `{ "a":1, "\u0061":2 }`, asItStands},
		{"lone surrogate", canonical, "application/json", `{ "a":"\ud800" }`, asItStands},
		{"15 digits", canonical, "application/json", `[ 123456789012345 ]`, `[123456789012345]`},
		{"16 digits", canonical, "application/json", `[ 1234567890123456 ]`, asItStands},
		{"zeros are no digits", canonical, "application/json", `[ 0.001230000000000000000000000000e3 ]`, `[1.23]`},
		{"beyond float64", canonical, "application/json", `[ 1e400 ]`, asItStands},
		{"below float64", canonical, "application/json", `[ 1e-400 ]`, asItStands},
		{"subnormal", canonical, "application/json", `[ 5e-324 ]`, asItStands},
		{"64 levels", canonical, "application/json", strings.Repeat("[ ", 64) + strings.Repeat("]", 64), strings.Repeat("[", 64) + strings.Repeat("]", 64)},
		{"65 levels", canonical, "application/json", strings.Repeat("[ ", 65) + strings.Repeat("]", 65), asItStands},
		{"levels side by side", canonical, "application/json", "[ " + strings.Repeat("[[]],", 100) + "0]", "[" + strings.Repeat("[[]],", 100) + "0]"},
		{"invalid UTF-8", canonical, "application/json", "[ \"\xff\" ]", asItStands},
		{"cut short", canonical, "application/json", `{ "a":[1,{"b":`, asItStands},
		{"the smallest and the largest", canonical, "application/json", `[ 1E-307, -9.99999999999999e307 ]`, `[1e-307,-9.99999999999999e+307]`},
		{"below the smallest", canonical, "application/json", `[ 9e-308 ]`, asItStands},
		{"above the largest", canonical, "application/json", `[ 1e308 ]`, asItStands},
		{"an exponent beyond an int", canonical, "application/json", `[ 1e99999999999999999999 ]`, asItStands},
		{"zero of any exponent", canonical, "application/json", `[ 0e99999999999999999999, -0.00E-99999999999999999999 ]`, `[0,0]`},
		{"zeros that make up for an exponent", canonical, "application/json", `[ 0.` + strings.Repeat("0", 400) + `1e401, 1` + strings.Repeat("0", 400) + `e-400 ]`, `[1,1]`},
		{"order of UTF-16", canonical, "application/json", `{"\uffff":1,"\ud800\udc00":2,"a":3,"":4,"aa":5,"\u00e9":6,"\ue000":7}`, "{\"\":4,\"a\":3,\"aa\":5,\"\u00e9\":6,\"\U00010000\":2,\"\ue000\":7,\"\uffff\":1}"},
		{"names that are escaped", canonical, "application/json", `{"b\n":1,"\u0061":2,"\"":3}`, `{"\"":3,"a":2,"b\n":1}`},
		{"duplicates within", canonical, "application/json", `[{"c":1,"b":{ "a":1, "x":0, "a":2 }}]`, asItStands},
		{"too deep", canonical, "application/json", strings.Repeat("[ ", 20_000) + strings.Repeat("]", 20_000), asItStands},

		{"member", omitting("/sent"), "application/json", `{"sent":"now", "a":1}`, `{"a":1}`},
		{"member within", omitting("/client/sent"), "application/json", `{"client":{"sent":1,"id":2},"sent":3}`, `{"client":{"id":2},"sent":3}`},
		{"several", omitting("/a", "/b/c"), "application/json", `{"a":1,"b":{"c":2},"d":3}`, `{"b":{},"d":3}`},
		{"element", omitting("/a/1"), "application/json", `{"a":[1,2,3]}`, `{"a":[1,null,3]}`},
		{"within an element", omitting("/0/x"), "application/json", `[{"x":1,"y":2}]`, `[{"y":2}]`},
		{"escaped pointer", omitting("/a~1b", "/c~0d", "/~01"), "application/json", `{"a/b":1,"c~d":2,"~1":3,"e":4}`, `{"e":4}`},
		{"nothing there", omitting("/x/y", "/a/b", "/c/07", "/c/9"), "application/json", `{ "a":1,"c":[5] }`, `{"a":1,"c":[5]}`},
		{"one below another", omitting("/a", "/a/b", "/c/0", "/c/0/d"), "application/json", `{"a":{"b":1},"c":[{"d":1},2]}`, `{"c":[null,2]}`},
		{"all there is", omitting("/a", "/b"), "application/json", `{"b":1,"a":2}`, `{}`},
		{"the first, the last", omitting("/a", "/c"), "application/json", `{"a":1,"b":2,"c":3}`, `{"b":2}`},
		{"the first, the last, unsorted", omitting("/a", "/c"), "application/json", `{"c":3,"a":1,"b":2,"":4}`, `{"":4,"b":2}`},
		{"by an escaped name", omitting("/sent"), "application/json", `{"\u0073ent":1,"a":2}`, `{"a":2}`},
		{"duplicates of what is left out", omitting("/a"), "application/json", `{ "a":1, "a":2 }`, asItStands},
		{"duplicates within what is left out", omitting("/a"), "application/json", `{ "a":{"b":1,"b":2} }`, asItStands},
		{"16 digits of what is left out", omitting("/a"), "application/json", `{ "a":1234567890123456 }`, asItStands},
		{"HTML is no matter", omitting("/x"), "application/json", `{"x":0,"a":"<&>"}`, `{"a":"<&>"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == asItStands {
				tt.want = tt.body
			}
			r := request("POST", "/", tt.mediaType)
			if got, _ := newFingerprinter(tt.cfg).content(r, []byte(tt.body)); string(got.text) != tt.want {
				t.Errorf("got  %.60s\nwant %.60s", got.text, tt.want)
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

// bodies are JSON of 1 MiB, what is usual and what is meant to be slow.
func bodies() map[string][]byte {
	const size = 1 << 20
	fill := func(open, item, close string) []byte {
		return []byte(open + strings.Repeat(item, (size-len(open)-len(close))/len(item)) + close)
	}
	var orders, members strings.Builder
	for i := 0; orders.Len() < size-200; i++ {
		fmt.Fprintf(&orders, `{"id": "ord_%d", "amount": %d.50, "currency": "eur", "tags": ["a","b"], "paid": true, "note": "caf\u00e9"}, `, i, i)
	}
	for i := 0; members.Len() < size-20; i++ {
		fmt.Fprintf(&members, `"%05x":1,`, i*7919&0xfffff)
	}
	return map[string][]byte{
		"orders":   []byte(`{"orders": [` + orders.String() + `{}]}`),
		"members":  []byte("{" + members.String() + `"":0}`),
		"integers": fill("[", "1,", "1]"),
		"decimals": fill("[", "1.23456789012345e-300,", "1]"),
		"escapes":  fill(`["`, `\u0041`, `"]`),
		"strings":  fill(`[`, `"\n",`, `1]`),
		"objects":  fill("[", `{"b":1,"a":2},`, "1]"),
		"levels":   fill(strings.Repeat(`{"b":`, 63)+`"`, "x", `"`+strings.Repeat(`,"a":1}`, 63)),
		"deep":     fill(strings.Repeat(`{"b":`, 9000)+`"`, "x", `"`+strings.Repeat(`,"a":1}`, 9000)),
	}
}

// The canonical form takes memory in proportion to the body, whatever is in it.
func TestCanonicalAllocates(t *testing.T) {
	r := request("POST", "/", "application/json")
	prints := newFingerprinter(Fingerprint{Omit: []string{"/orders/0/id", "/b/b/b", "/00000"}})
	for name, body := range bodies() {
		var canonical bool
		bytes, times := leastAllocated(func() { _, canonical = prints.content(r, body) })
		if bytes > 16<<20 || times > 1000 {
			t.Errorf("%s: %d allocations, %d bytes", name, times, bytes)
		}
		if canonical != (name != "deep") {
			t.Errorf("%s: canonical is %v", name, canonical)
		}
	}
}

// BenchmarkFingerprint1MiB says what canonical forms cost beside bodies as they stand.
func BenchmarkFingerprint1MiB(b *testing.B) {
	r := request("POST", "/", "application/json")
	all := bodies()
	for _, cfg := range []struct {
		name string
		Fingerprint
	}{{"raw", Fingerprint{}}, {"JSON", Fingerprint{CanonicalJSON: true}}, {"Omit", Fingerprint{Omit: []string{"/orders/0/id", "/b/b/b", "/00000"}}}} {
		prints := newFingerprinter(cfg.Fingerprint)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			b.Run(cfg.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					prints.of(r, all[name])
				}
			})
		}
	}
}

// The canonical form is what another implementation makes, it means what the body means, and it is
// its own. So bodies of two values have two forms.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"c":"\u00e9"}`, `[1e21,0.1,-0,1E-7,100e-2,1.5e300]`, `{"a":1,"a":2}`, `"\ud800"`, ``,
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`, `{"b":{"b":1,"a":[0,1]},"a":[{}]}`, "\"\xff\"", `[1234567890123456,1e308]`} {
		f.Add([]byte(s))
	}
	plain, omitting := newFingerprinter(Fingerprint{CanonicalJSON: true}), newFingerprinter(Fingerprint{Omit: []string{"/a/0", "/b"}})
	r := request("POST", "/", "application/json")
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range []*fingerprinter{plain, omitting} {
			before := string(body)
			once, canonical := p.content(r, body)
			if string(body) != before {
				t.Errorf("%q became %q under our hands", before, body)
			}
			if again, _ := p.content(r, once.text); string(again.text) != string(once.text) {
				t.Errorf("%q becomes %q, and that %q", body, once.text, again.text)
			}
			theirs := jsontext.Value(bytes.Clone(body))
			if p == plain && canonical {
				if err := theirs.Canonicalize(); err != nil || string(theirs) != string(once.text) {
					t.Errorf("%q becomes %q, and by jsontext %q, %v", body, once.text, theirs, err)
				}
				if before, after := valueOf(t, body), valueOf(t, once.text); !reflect.DeepEqual(before, after) {
					t.Errorf("%q becomes %q: of another value", body, once.text)
				}
			}
			if !canonical && string(once.text) != string(body) {
				t.Errorf("%q has no canonical form, and becomes %q", body, once.text)
			}
		}
	})
}

// valueOf decodes JSON, its numbers exactly.
func valueOf(t *testing.T, text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var exact func(any) any
	exact = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for name, part := range v {
				v[name] = exact(part)
			}
		case []any:
			for i, part := range v {
				v[i] = exact(part)
			}
		case json.Number:
			mantissa, _, _ := strings.Cut(strings.ToLower(string(v)), "e")
			if strings.Trim(mantissa, "-0.") == "" {
				return "0" // of whatever exponent
			}
			n, ok := new(big.Rat).SetString(string(v))
			if !ok {
				t.Skip("an exponent that math/big does not take")
			}
			return n.RatString()
		}
		return v
	}
	return exact(v)
}
