package dialect

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

const uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324"

// a key or an outcome
type verdict struct {
	key   string
	fault Outcome
}

func TestKeySyntax(t *testing.T) {
	long := strings.Repeat("k", 255)
	bad, tooLong := verdict{fault: KeyMalformed}, verdict{fault: KeyTooLong}
	is := func(key string) verdict { return verdict{key: key} }
	for _, tt := range []struct {
		value                              string
		lenient, strict, credicorp, stripe verdict
	}{
		{uuid, is(uuid), bad, is(uuid), is(uuid)},
		{`"` + uuid + `"`, is(uuid), is(uuid), is(`"` + uuid + `"`), is(`"` + uuid + `"`)},
		{"  " + uuid + "\t ", is(uuid), bad, is(uuid), is(uuid)},
		{"\t \"abc\" ", is("abc"), is("abc"), is(`"abc"`), is(`"abc"`)},
		{"k", is("k"), bad, is("k"), is("k")},
		{"", bad, bad, bad, bad},
		{"   ", bad, bad, bad, bad},
		{`""`, bad, bad, is(`""`), is(`""`)},
		{`"a\"b\\c"`, is(`a"b\c`), is(`a"b\c`), is(`"a\"b\\c"`), is(`"a\"b\\c"`)},
		{`"\"a"`, is(`"a`), is(`"a`), is(`"\"a"`), is(`"\"a"`)},
		{`"a\b"`, bad, bad, is(`"a\b"`), is(`"a\b"`)},
		{`"abc\`, bad, bad, is(`"abc\`), is(`"abc\`)},
		{`"abc\"`, bad, bad, is(`"abc\"`), is(`"abc\"`)},
		{`"abc`, bad, bad, is(`"abc`), is(`"abc`)},
		{`"`, bad, bad, is(`"`), is(`"`)},
		{`abc"`, bad, bad, is(`abc"`), is(`abc"`)},
		{`a\b`, is(`a\b`), bad, is(`a\b`), is(`a\b`)},
		{"a,b", bad, bad, is("a,b"), is("a,b")},
		{`"a,b"`, is("a,b"), is("a,b"), is(`"a,b"`), is(`"a,b"`)},
		{`"a", "b"`, bad, bad, bad, is(`"a", "b"`)},
		{"a b", bad, bad, bad, is("a b")},
		{`"a b"`, is("a b"), is("a b"), bad, is(`"a b"`)},
		{`" "`, is(" "), is(" "), bad, is(`" "`)},
		{"a\tb", bad, bad, bad, is("a\tb")},
		{"\"a\tb\"", bad, bad, bad, is("\"a\tb\"")},
		{"clé", bad, bad, bad, is("clé")},
		{`"clé"`, bad, bad, bad, is(`"clé"`)},
		{"a\x7fb", bad, bad, bad, bad},
		{"\"a\x7fb\"", bad, bad, bad, bad},
		{"a\x00b", bad, bad, bad, bad},
		{"a\nb", bad, bad, bad, bad},
		{"!#$%&'()*+-./:;<=>?@[\\]^_`{|}~", is("!#$%&'()*+-./:;<=>?@[\\]^_`{|}~"), bad,
			is("!#$%&'()*+-./:;<=>?@[\\]^_`{|}~"), is("!#$%&'()*+-./:;<=>?@[\\]^_`{|}~")},
		{long, is(long), bad, is(long), is(long)},
		{long + "k", tooLong, bad, tooLong, tooLong},
		{long + ",", tooLong, bad, tooLong, tooLong}, // the length goes before the characters
		{`"` + long + `"`, is(long), is(long), tooLong, tooLong},
		{`"` + long + `k"`, tooLong, tooLong, tooLong, tooLong},
		{`"` + long[1:] + `\""`, is(long[1:] + `"`), is(long[1:] + `"`), tooLong, tooLong}, // unescaped it is 255
		{`"` + long + `\""`, tooLong, tooLong, tooLong, tooLong},
		{`"` + long + `k`, bad, bad, tooLong, tooLong},
		{`"abc";v=1`, is("abc"), is("abc"), is(`"abc";v=1`), is(`"abc";v=1`)},
		{"abc;v=1", is("abc;v=1"), bad, is("abc;v=1"), is("abc;v=1")},
	} {
		for _, s := range []struct {
			name   string
			syntax KeySyntax
			want   verdict
		}{
			{"lenient", Lenient, tt.lenient}, {"zero", KeySyntax{}, tt.lenient}, {"strict", Strict, tt.strict},
			{"credicorp", credicorpKeys, tt.credicorp}, {"stripe", stripeKeys, tt.stripe},
		} {
			if got := judge(s.syntax.Parse([]string{tt.value})); got != s.want {
				t.Errorf("%s %q: got %+v, want %+v", s.name, tt.value, got, s.want)
			}
		}
	}
}

func judge(key string, err error) verdict {
	if ke, ok := errors.AsType[*KeyError](err); ok {
		return verdict{key, ke.Outcome}
	}
	return verdict{key: key}
}

func TestRawChecksLengthBeforeCharacters(t *testing.T) {
	for value, want := range map[string]Outcome{
		strings.Repeat("a", 64):       0,
		strings.Repeat("a", 65):       KeyTooLong,
		strings.Repeat("a", 64) + "_": KeyTooLong,
		strings.Repeat("a", 63) + "_": KeyMalformed,
		strings.Repeat("é", 32):       KeyMalformed,
		`"abc"`:                       KeyMalformed,
		"ABCxyz-0189":                 0,
		"a@":                          KeyMalformed, "a[": KeyMalformed, "a`": KeyMalformed, "a{": KeyMalformed, "a/": KeyMalformed, "a:": KeyMalformed,
	} {
		if got := judge(bluesnapKeys.Parse([]string{value})).fault; got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

// Parameters are ignored once they are known to be some (RFC 9651 §4.2.3.2): a field with a fault anywhere fails whole.
func TestKeyParameters(t *testing.T) {
	for _, params := range []string{
		"", ";a", ";  a", ";a;b", "; a=1; b=2", ";*", ";a1_-.*=1", ";a=?1", ";a=?0;b", ";a=1;a=2",
		";a=0", ";a=-1", ";a=00", ";a=999999999999999", ";a=-999999999999999", ";a=1.5", ";a=-123456789012.123",
		`;a=""`, `;a="x;y=\"\\"`, ";a=tok", ";a=*", ";a=T/x:y!#$%&'*+-.^_`|~", ";a=t;b",
		";a=::", ";a=:YQ==:", ";a=:YWI=:", ";a=:YWJj:", ";a=:YQ:", ";a=:YWI:;b", ";a=:+/09azAZ:",
		";a=@0", ";a=@-1659578233;b", `;a=%""`, `;a=%"f%c3%bc x"`, `;a=%"%22";b`,
	} {
		if got := judge(Strict.Parse([]string{`"k"` + params})); got != (verdict{key: "k"}) {
			t.Errorf("%q: got %+v, want the key", params, got)
		}
	}
	for _, params := range []string{
		";", "; ", " ;a", "a", ",", `"`, ";;a", ";A", ";1", ";-a", ";a b", ";a ;b", ";a=", ";a= 1", ";a =1", ";a=1 ;b", ";\ta",
		";a=-", ";a=--1", ";a=1000000000000000", ";a=1.", ";a=.5", ";a=1.2345", ";a=1234567890123.1", ";a=1e3", ";a=+1",
		`;a="`, `;a="\x"`, `;a=""x`, ";a=(1)", ";a=é", ";a=t\"", ";a=[", ";a={",
		";a=:", ";a=:YQ", ";a=:Y:", ";a=:YQ=:", ";a=:YQ===:", ";a=:YWJj=:", ";a=:Y Q=:", ";a=:Y=Q:", ";a=:-_:",
		";a=?", ";a=?2", ";a=?01", ";a=@", ";a=@1.5", ";a=@x", ";a=%", ";a=%x", `;a=%"`, `;a=%"%"`, `;a=%"%C3%BC"`, `;a=%"%c3"`,
		`;a=%"%4"`, `;a=%"%zz"`, "; a=%\"\t\"", `;a=%"é"`,
	} {
		if got := judge(Strict.Parse([]string{`"k"` + params})); got != (verdict{fault: KeyMalformed}) {
			t.Errorf("%q: got %+v, want malformed", params, got)
		}
	}
}

func TestKeyFieldLines(t *testing.T) {
	for _, syntax := range []KeySyntax{Lenient, Strict, bluesnapKeys, {}} {
		for _, lines := range [][]string{nil, {}} {
			if got := judge(syntax.Parse(lines)); got.fault != KeyMissing {
				t.Errorf("%q: got %v, want missing", lines, got)
			}
		}
		for _, lines := range [][]string{{"a", "b"}, {`"a"`, `"a"`}, {"a", "a"}, {"", ""}, {"a", "", "a"}} {
			if got := judge(syntax.Parse(lines)); got.fault != KeyRepeated {
				t.Errorf("%q: got %v, want repeated", lines, got)
			}
		}
	}
}

func TestKeyErrorText(t *testing.T) {
	_, err := bluesnapKeys.Parse([]string{"sesame street"})
	want := "dialect: key is malformed: want 1 to 64 characters of A-Z a-z 0-9 -"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, tt := range []struct {
		syntax KeySyntax
		max    int
		want   string
	}{
		{Lenient, 255, Lenient.want}, {KeySyntax{}, 255, Lenient.want}, {Strict, 255, Strict.want},
		{credicorpKeys, 255, "1 to 255 visible ASCII characters"}, {stripeKeys, 255, "1 to 255 characters"},
	} {
		if tt.syntax.Max() != tt.max || tt.syntax.Want() != tt.want || tt.want == "" {
			t.Errorf("got %d, %q; want %d, %q", tt.syntax.Max(), tt.syntax.Want(), tt.max, tt.want)
		}
	}
}

func TestRawPanicsOnMisuse(t *testing.T) {
	for name, raw := range map[string]func(){
		"max":      func() { Raw(0) },
		"empty":    func() { Raw(9, "") },
		"backward": func() { Raw(9, "z-a") },
		"two":      func() { Raw(9, "ab") },
		"no run":   func() { Raw(9, "a+z") },
		"long":     func() { Raw(9, "a-zA-Z") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("want a panic")
				}
			}()
			raw()
		})
	}
	if Raw(255, "!-~") != credicorpKeys || Raw(64, "!-~") == credicorpKeys || Lenient == (KeySyntax{}) {
		t.Error("equal syntaxes must compare equal, others not")
	}
}

func TestKeyParseAllocates(t *testing.T) {
	for _, lines := range [][]string{{uuid}, {`"` + uuid + `"`}, {` "` + uuid + `"; v=1; w="x" `}} {
		if n := testing.AllocsPerRun(100, func() { Lenient.Parse(lines) }); n != 0 {
			t.Errorf("%q: %v allocations, want 0", lines, n)
		}
	}
}

// The grammar once more, as patterns: what the parser accepts must match, and what it returns must
// be the match.
var (
	rawPattern    = regexp.MustCompile(`^[!#-+\--~]{1,255}$`)
	stringPattern = regexp.MustCompile(`^"((?:[ !#-\[\]-~]|\\["\\])+)"(?:$|;)`)
	escapePattern = regexp.MustCompile(`\\(.)`)
)

func FuzzKeySyntax(f *testing.F) {
	// Seeds are in testdata/fuzz/FuzzKeySyntax.
	f.Fuzz(func(t *testing.T, value string) {
		trimmed := strings.Trim(value, " \t")
		accepted := map[string]string{}
		for name, syntax := range map[string]KeySyntax{
			"lenient": Lenient, "strict": Strict, "credicorp": credicorpKeys, "bluesnap": bluesnapKeys, "stripe": stripeKeys,
		} {
			key, err := syntax.Parse([]string{value})
			if err != nil {
				ke := err.(*KeyError)
				if key != "" || ke.Outcome != KeyMalformed && ke.Outcome != KeyTooLong {
					t.Fatalf("%s %q: key %q with %#v", name, value, key, ke)
				}
				// Whatever was sent, the text is one of two: so it can't echo anything.
				if *ke != (KeyError{Outcome: ke.Outcome, Want: syntax.Want()}) {
					t.Fatalf("%s %q: %#v", name, value, ke)
				}
				continue
			}
			if key == "" || len(key) > syntax.Max() {
				t.Fatalf("%s %q: key %q", name, value, key)
			}
			accepted[name] = key
			if syntax.raw && !syntax.quoted && key != trimmed {
				t.Fatalf("%s %q: raw key became %q", name, value, key)
			}
		}
		strict, isString := accepted["strict"]
		lenient, isLenient := accepted["lenient"]
		if isString {
			m := stringPattern.FindStringSubmatch(trimmed)
			if m == nil || escapePattern.ReplaceAllString(m[1], "$1") != strict {
				t.Fatalf("%q: String %q, want %q", value, strict, m)
			}
			if !isLenient || lenient != strict {
				t.Fatalf("%q: lenient %q, strict %q", value, lenient, strict)
			}
		}
		if isRaw := rawPattern.MatchString(trimmed); isLenient != (isRaw || isString) {
			t.Fatalf("%q: lenient %v, raw %v, string %v", value, isLenient, isRaw, isString)
		}
		if isLenient { // a client may change over to the String
			again := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(lenient) + `"`
			if key, err := Strict.Parse([]string{again}); err != nil || key != lenient {
				t.Fatalf("%q: quoted it is %q, %v; want %q", value, key, err, lenient)
			}
		}
	})
}

func BenchmarkKeyParse(b *testing.B) {
	for name, value := range map[string]string{
		"raw": uuid, "string": `"` + uuid + `"`, "params": `"` + uuid + `"; v=1`, "escapes": `"a\"` + uuid + `"`,
	} {
		lines := []string{value}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Lenient.Parse(lines); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
