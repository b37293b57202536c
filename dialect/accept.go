package dialect

import (
	"mime"
	"strconv"
	"strings"

	"github.com/reprise-go/reprise/internal/field"
)

// quality returns the weight, from 0 to 1, that Accept fields give to a media type (RFC 9110
// §12.5.1). The most specific range that covers the type decides, and among equally specific ones
// the greatest weight. Parameters other than q are ignored, because a dialect has one form of each
// type. A range that can't be parsed is ignored. text/xml means application/xml.
func quality(accepts []string, media string) (q float64) {
	kind, _, _ := strings.Cut(media, "/")
	ranges := [...]string{"*/*", kind + "/*", media} // the least specific first
	found := -1
	for _, list := range accepts {
		for list != "" {
			var element string
			element, list = field.CutElement(list)
			name, params, err := mime.ParseMediaType(element)
			if err != nil {
				continue
			}
			if name == "text/xml" { // an alias by RFC 7303 §9.2
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
