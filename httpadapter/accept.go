package httpadapter

import (
	"mime"
	"strconv"
	"strings"
)

// quality returns the weight, 0 to 1, that Accept fields give a media type (RFC 9110 §12.5.1): that of the most
// specific range which covers it, and of several such the greatest. A range's parameters other than q are passed over,
// as we have one form of each type; a range that can't be read counts for nothing; text/xml means application/xml.
func quality(accepts []string, media string) (q float64) {
	kind, _, _ := strings.Cut(media, "/")
	ranges := [...]string{"*/*", kind + "/*", media} // from the least specific
	found := -1
	for _, field := range accepts {
		for field != "" {
			var element string
			element, field = cutElement(field)
			name, params, err := mime.ParseMediaType(element)
			if err != nil {
				continue
			}
			if name == "text/xml" { // RFC 7303 §9.2: an alias
				name = "application/xml"
			}
			weight := 1.0
			if text, ok := params["q"]; ok {
				if weight, err = strconv.ParseFloat(text, 64); err != nil || !(weight >= 0 && weight <= 1) {
					continue
				}
			}
			for i := max(found, 0); i < len(ranges); i++ {
				switch {
				case ranges[i] != name:
				case i > found:
					found, q = i, weight
				default:
					q = max(q, weight)
				}
			}
		}
	}
	return q
}

// cutElement returns the first element of a comma-separated list and the rest. A comma in a quoted string ends nothing.
func cutElement(list string) (element, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// mediaType returns a Content-Type in lower case and without its parameters, be they well-formed or not.
func mediaType(contentType string) string {
	essence, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(trimValue(essence))
}
