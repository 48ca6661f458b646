package pattern

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// decimal is a number as it is written, compared digit by digit: a float would take
// two large sequence numbers for the same one, and a big.Int would let 1e999999999 take
// all memory.
type decimal struct {
	sign   int    // -1, 0, 1
	digits string // without zeros at either end; empty is zero
	point  int    // the number is 0.digits times ten to the power of point
}

// maxExponent bounds the power of ten, so that it can be counted with.
const maxExponent = 1_000_000

// parseDecimal reads a number in JSON's form.
func parseDecimal(text string) (decimal, error) {
	bad := func() error { return fmt.Errorf("%q is not a number", clip(text)) } // made where it is needed
	d := decimal{sign: 1}
	rest, negative := strings.CutPrefix(text, "-")
	if negative {
		d.sign = -1
	}
	mantissa, exponent := rest, ""
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa, exponent = rest[:i], rest[i+1:]
		if exponent == "" {
			return decimal{}, bad()
		}
	}
	whole, fraction, pointed := strings.Cut(mantissa, ".")
	if whole == "" || pointed && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return decimal{}, bad()
	}
	if exponent != "" {
		n, err := strconv.Atoi(exponent)
		if err != nil || n > maxExponent || n < -maxExponent {
			return decimal{}, fmt.Errorf("the exponent of %q is none, or out of range", clip(text))
		}
		d.point = n
	}
	d.point += len(whole)
	all := whole + fraction
	d.digits = strings.TrimLeft(all, "0")
	d.point -= len(all) - len(d.digits)
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		return decimal{}, nil
	}
	return d, nil
}

// compare is -1 where d is less than e, 0 where they are equal, and else 1.
func (d decimal) compare(e decimal) int {
	if d.sign != e.sign || d.sign == 0 {
		return cmp.Compare(d.sign, e.sign)
	}
	return d.sign * cmp.Or(cmp.Compare(d.point, e.point), strings.Compare(d.digits, e.digits))
}
