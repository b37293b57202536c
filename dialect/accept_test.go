package dialect

import (
	"net/http/httptest"
	"testing"
)

func TestQuality(t *testing.T) {
	for _, tt := range []struct {
		accepts   []string
		xml, json float64
	}{
		{nil, 0, 0},
		{[]string{""}, 0, 0},
		{[]string{"application/json"}, 0, 1},
		{[]string{"Application/XML ; charset=utf-8"}, 1, 0},
		{[]string{"text/xml;q=0.3"}, 0.3, 0},
		{[]string{"text/*"}, 0, 0},
		{[]string{"*/*;q=0.5"}, 0.5, 0.5},
		{[]string{"application/*;q=0.2, */*"}, 0.2, 0.2},
		{[]string{"*/*;q=0.1, application/*;q=0.2, application/json;q=0.3"}, 0.2, 0.3},
		{[]string{"application/json;q=0.3, application/*;q=0.2, */*;q=0.1"}, 0.2, 0.3},
		{[]string{"application/xml;q=0, */*"}, 0, 1},
		{[]string{"*/*", "application/json;q=0"}, 1, 0},
		{[]string{"application/xml;version=1;q=0.4, application/xml;version=2;q=0.6"}, 0.6, 0},
		{[]string{"application/xml;version=1;q=0.6, application/xml;version=2;q=0.4"}, 0.6, 0},
		{[]string{`application/json;profile="a,b\"c,", application/xml;Q=0.5`}, 0.5, 1},
		{[]string{",, ,application/json,"}, 0, 1},
		{[]string{"application/json;q=2, application/xml;q=-1, */*;q=NaN"}, 0, 0},
		{[]string{"application/json;q=x, application/xml;q=, */*;q=0.9"}, 0.9, 0.9},
		{[]string{`application/json;a="`, "application/xml"}, 1, 0},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, 0.9, 0.8},
	} {
		if x, j := quality(tt.accepts, "application/xml"), quality(tt.accepts, "application/json"); x != tt.xml || j != tt.json {
			t.Errorf("%q: XML %v, JSON %v; want %v, %v", tt.accepts, x, j, tt.xml, tt.json)
		}
	}
}

func FuzzQuality(f *testing.F) {
	f.Add(`application/json;profile="a,b", application/xml;q=0.5`)
	f.Add(`*/*;q=0.1,"\`)
	f.Fuzz(func(t *testing.T, accept string) {
		for _, media := range []string{"application/xml", "application/json"} {
			if q := quality([]string{accept}, media); !(q >= 0 && q <= 1) {
				t.Errorf("%q: %v", accept, q)
			}
		}
		// What comes after a whole element is read as if it stood alone.
		if q := quality([]string{"text/html", accept}, "application/xml"); q != quality([]string{"text/html," + accept}, "application/xml") {
			t.Errorf("%q: %v in a line of its own", accept, q)
		}
	})
}

func TestBlueSnapForm(t *testing.T) {
	const inXML, inJSON = "application/xml", "application/json"
	for _, tt := range []struct{ accept, sent, want string }{
		{"", "", inJSON},
		{"", "application/json", inJSON},
		{"", "application/xml", inXML},
		{"", "Text/XML; charset=utf-8", inXML},
		{"", "application/vnd.order+xml;v=2", inXML},
		{"", "application/xml;;;", inXML},
		{"", "application/xmlish", inJSON},
		{"application/json", "application/xml", inJSON},
		{"application/xml", "application/json", inXML},
		{"text/xml, */*;q=0.1", "application/json", inXML},
		{"*/*", "application/xml", inXML},
		{"*/*", "application/json", inJSON},
		{"application/json;q=0.5, application/xml", "application/json", inXML},
		{"application/xml;q=0.5, */*", "application/xml", inJSON},
		{"application/xml;q=0, */*", "application/xml", inJSON},
		{"text/html", "application/xml", inXML},
		{"text/html", "", inJSON},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		if tt.accept != "" {
			r.Header.Set("Accept", tt.accept)
		}
		if tt.sent != "" {
			r.Header.Set("Content-Type", tt.sent)
		}
		if got := (BlueSnap{}).Render(InProgress, Info{Request: r}).ContentType; got != tt.want {
			t.Errorf("Accept %q, Content-Type %q: got %s, want %s", tt.accept, tt.sent, got, tt.want)
		}
	}
}
