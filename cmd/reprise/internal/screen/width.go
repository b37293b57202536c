package screen

import (
	"unicode"

	"golang.org/x/text/width"
)

// Width is how many columns of a terminal text takes: two for each ideograph and the like
// (https://www.unicode.org/reports/tr11/), none for a mark on the letter before it.
func Width(text string) (columns int) {
	for _, r := range text {
		columns += widthOf(r)
	}
	return columns
}

func widthOf(r rune) int {
	switch kind := width.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Cut is text of at most so many columns. Where some of it is missing it ends with three dots.
func Cut(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	used := 0
	for i, r := range text {
		if used += widthOf(r); used > columns-1 {
			return text[:i] + "…"
		}
	}
	return text
}
