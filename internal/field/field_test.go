package field

import "testing"

func TestIsToken(t *testing.T) {
	for s, want := range map[string]bool{
		"POST": true, "X-Request-Id": true, "!#$%&'*+-.^_`|~09azAZ": true,
		"": false, "a b": false, "a:": false, "a,b": false, "é": false, "a\x7f": false, "\"a\"": false, "(a)": false,
	} {
		if got := IsToken(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestMediaType(t *testing.T) {
	for s, want := range map[string]string{
		"": "", " Application/JSON\t; charset=utf-8": "application/json", "text/xml;;;": "text/xml", ";a=b": "",
	} {
		if got := MediaType(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestCutElement(t *testing.T) {
	for list, want := range map[string][2]string{
		"": {"", ""}, "a": {"a", ""}, "a,b,c": {"a", "b,c"}, ",b": {"", "b"},
		`a="x,y";b, c`: {`a="x,y";b`, " c"}, `"\",",b`: {`"\","`, "b"}, `"open,b`: {`"open,b`, ""},
	} {
		if element, rest := CutElement(list); element != want[0] || rest != want[1] {
			t.Errorf("%q: got %q and %q, want %q", list, element, rest, want)
		}
	}
}

func TestCutString(t *testing.T) {
	for s, want := range map[string][2]string{
		`"a"`: {"a", ""}, `"";v`: {"", ";v"}, `"a\"\\b" c`: {`a"\b`, " c"},
	} {
		if value, rest, ok := CutString(s); !ok || value != want[0] || rest != want[1] {
			t.Errorf("%q: got %q and %q, %v, want %q", s, value, rest, ok, want)
		}
	}
	for _, s := range []string{"", "a", `"a`, `"\a"`, `"\`, "\"\t\"", `"é"`} {
		if _, _, ok := CutString(s); ok {
			t.Errorf("%q is no String", s)
		}
	}
}
