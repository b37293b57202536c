package dialect

import (
	"mime"
	"strconv"
	"strings"

	"github.com/reprise-go/reprise/internal/field"
)

// quality returns the weight, 0 to 1, that Accept fields give a media type (RFC 9110 §12.5.1): that of the most
// specific range which covers it, and of several such the greatest. A range's parameters other than q are passed over,
// as we have one form of each type; a range that can't be read counts for nothing; text/xml means application/xml.
func quality(accepts []string, media string) (q float64) {
	kind, _, _ := strings.Cut(media, "/")
	ranges := [...]string{"*/*", kind + "/*", media} // from the least specific
	found := -1
	for _, list := range accepts {
		for list != "" {
			var element string
			element, list = field.CutElement(list)
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
