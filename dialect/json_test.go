package dialect

import "testing"

func TestEncodeJSON(t *testing.T) {
	v := struct{ B, A string }{"<&>", "line\nend\n"}
	if got, want := string(encodeJSON(v, "")), `{"B":"<&>","A":"line\nend\n"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(encodeJSON(v, "  ")), "{\n  \"B\": \"<&>\",\n  \"A\": \"line\\nend\\n\"\n}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
