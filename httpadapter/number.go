package httpadapter

import (
	"bytes"
	"strconv"
)

// appendNumber writes a number, which is valid, as ECMAScript does (RFC 8785 §3.2.2.3; ECMA-262,
// Number::toString). The digits that it asks for are the fewest that make the same float64. With no
// more than 15 they are the number's own, so that none has to be made.
func appendNumber(out, number []byte) ([]byte, error) {
	mantissa, negative := bytes.CutPrefix(number, []byte("-"))
	if len(mantissa) <= maxExactDigits && digits.Span(string(mantissa)) == len(mantissa) && mantissa[0] != '0' {
		return append(out, number...), nil // as most are
	}
	exponent := 0
	if e := bytes.IndexAny(mantissa, "eE"); e >= 0 {
		var err error
		exponent, err = strconv.Atoi(string(mantissa[e+1:]))
		if mantissa = mantissa[:e]; err != nil && len(bytes.Trim(mantissa, "0.")) > 0 {
			return out, errNotExact
		}
	}
	// The number is 0.DIGITS times ten to the power of point, its digits without zeros at either
	// end.
	var digits [maxExactDigits]byte
	n, zeros, point, fraction := 0, 0, 0, false
	for _, c := range mantissa {
		switch {
		case c == '.':
			fraction = true
			continue
		case c != '0' && n+zeros >= maxExactDigits:
			return out, errNotExact
		case c != '0':
			n += copy(digits[n:], "00000000000000"[:zeros])
			digits[n] = c
			n, zeros = n+1, 0
		case n > 0:
			zeros++
		}
		switch {
		case !fraction && n > 0:
			point++
		case fraction && n == 0:
			point--
		}
	}
	if n == 0 {
		return append(out, '0'), nil // -0, too
	}
	const most = 1 << 30 // far beyond what a body has room to make up for by zeros
	exponent = min(max(exponent, -most), most)
	point += exponent
	if point-1 > maxExactExponent || point-1 < -maxExactExponent {
		return out, errNotExact
	}
	if negative {
		out = append(out, '-')
	}
	return appendDecimal(out, digits[:n], point), nil
}

// appendDecimal writes 0.DIGITS times ten to the power of point.
func appendDecimal(out, digits []byte, point int) []byte {
	const zeros = "000000000000000000000"
	switch n := len(digits); {
	case n <= point && point <= 21:
		out = append(out, digits...)
		return append(out, zeros[:point-n]...)
	case 0 < point && point <= 21:
		out = append(out, digits[:point]...)
		out = append(out, '.')
		return append(out, digits[point:]...)
	case -6 < point && point <= 0:
		out = append(out, "0."...)
		out = append(out, zeros[:-point]...)
		return append(out, digits...)
	}
	out = append(out, digits[0])
	if len(digits) > 1 {
		out = append(out, '.')
		out = append(out, digits[1:]...)
	}
	out = append(out, 'e')
	if point > 0 {
		out = append(out, '+')
	}
	return strconv.AppendInt(out, int64(point-1), 10)
}
