package oracle

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/reprise-go/reprise/dialect"
)

// A key in double quotes is a String of RFC 9651, its parameters of any kind: what httpsfv reads is the key, and what it
// refuses is none. Only the empty String, and more than 255 characters, are no keys of ours.
func FuzzStructuredString(f *testing.F) {
	for _, s := range []string{
		`"8e03978e-40d5-43dd-bc93-6894a57f9324"`, `""`, `"a\"b\\c"`, `"a\x"`, `"a`, `abc`, `"a";b`, `"a"; b;c=1;d=-1.5`, `"a";b=?1;c=?0;d=?2`,
		`"a";b=:YQ==:;c=:YQ:;d=:Y:`, `"a";b=@1659578233;c=@-1`, `"a";b=@1.5`, `"a";b=%"f%c3%bc";c=%"%C3"`, `"a";*=*/x:y`, `"a" ;b`, `"a", "b"`,
		`"a";b=123456789012345;c=123456789012.123`, `"a";b=1234567890123456`, `"a";b=1.1234`, `"a";b=1.`, `"a";b=-`, `"a";b="c\"d"`, `"a";B=1`,
		`"a";b=(1 2)`, "\"\x7f\"", "\"\u00fc\"", " \"a\"\t", `"a";`, `"a";b=`, `"` + strings.Repeat("a", 256) + `"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, err := dialect.Strict.Parse([]string{value})
		item, refused := httpsfv.UnmarshalItem([]string{strings.Trim(value, " \t")})
		if _, padding := errors.AsType[base64.CorruptInputError](refused); padding {
			return // httpsfv demands padding, which §4.2.7 has parsers do without
		}
		text, isString := item.Value.(string)
		is := refused == nil && isString
		if want := is && text != "" && len(text) <= 255; (err == nil) != want {
			t.Errorf("%q: got %q, %v; by httpsfv %q, %v", value, key, err, text, refused)
		}
		if err == nil && key != text {
			t.Errorf("%q: got %q; by httpsfv %q", value, key, text)
		}
		lenient, err := dialect.Lenient.Parse([]string{value})
		if strings.HasPrefix(strings.Trim(value, " \t"), `"`) && (err == nil) != (is && text != "" && len(text) <= 255) {
			t.Errorf("%q: leniently %q, %v; by httpsfv %q, %v", value, lenient, err, text, refused)
		}
	})
}

// What httpsfv writes, a client may send: each key comes back as it was.
func FuzzStructuredStringRoundTrip(f *testing.F) {
	f.Add("8e03978e", "a", int64(1), true)
	f.Add(`a"b\c`, "x-y", int64(-999_999_999_999_999), false)
	f.Fuzz(func(t *testing.T, key, param string, n int64, truth bool) {
		item := httpsfv.NewItem(key)
		item.Params.Add(param, n)
		item.Params.Add("t", truth)
		item.Params.Add("b", []byte(key))
		item.Params.Add("d", httpsfv.DisplayString(strings.ToValidUTF8(key, "?")))
		value, err := httpsfv.Marshal(item)
		if err != nil || key == "" || len(key) > 255 {
			return
		}
		if got, err := dialect.Strict.Parse([]string{value}); got != key || err != nil {
			t.Errorf("%q comes as %q, and is read as %q, %v", key, value, got, err)
		}
	})
}
