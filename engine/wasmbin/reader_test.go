package wasmbin

import (
	"math"
	"testing"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		input  string
		bits   uint
		signed bool
		want   int64
		bad    bool
	}{
		{"\x00", 32, false, 0, false},
		{"\x80\x80\x80\x80\x00", 32, false, 0, false}, // padded to the width
		{"\x80\x80\x80\x80\x80\x00", 32, false, 0, true},
		{"\xff\xff\xff\xff\x0f", 32, false, math.MaxUint32, false},
		{"\xff\xff\xff\xff\x10", 32, false, 0, true},
		{"\xe5\x8e\x26", 32, false, 624485, false},
		{"\x80", 32, false, 0, true},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 64, false, -1, false},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 64, false, 0, true},
		{"\x7f", 32, true, -1, false},
		{"\x3f", 32, true, 63, false},
		{"\x40", 32, true, -64, false},
		{"\xff\xff\xff\xff\x07", 32, true, math.MaxInt32, false},
		{"\x80\x80\x80\x80\x78", 32, true, math.MinInt32, false},
		{"\xff\xff\xff\xff\x7f", 32, true, -1, false},
		{"\xff\xff\xff\xff\x0f", 32, true, 0, true}, // sign not repeated
		{"\x80\x80\x80\x80\x08", 32, true, 0, true},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", 64, true, math.MaxInt64, false},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", 64, true, math.MinInt64, false},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 64, true, 0, true},
		{"\x70", 33, true, -16, false},
		{"\xff\xff\xff\xff\x0f", 33, true, math.MaxUint32, false},
	} {
		r := &reader{data: []byte(c.input), end: len(c.input)}
		var got int64
		if c.signed {
			got = r.signed(c.bits, "number")
		} else {
			got = int64(r.unsigned(c.bits, "number"))
		}
		switch {
		case c.bad && r.err == nil:
			t.Errorf("% x as %d bits: got %d, want an error", c.input, c.bits, got)
		case !c.bad && (r.done() != nil || got != c.want):
			t.Errorf("% x as %d bits: got %d, %v, want %d", c.input, c.bits, got, r.err, c.want)
		}
	}
}

func TestNumbersRoundTrip(t *testing.T) {
	values := []int64{0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8192, -8193, math.MaxInt32, math.MinInt32}
	for _, v := range values {
		b := appendSigned(nil, v)
		r := &reader{data: b, end: len(b)}
		if got := r.signed(32, "number"); got != v || r.done() != nil {
			t.Errorf("%d was encoded as % x and read as %d, %v", v, b, got, r.err)
		}
		u := uint64(uint32(v))
		b = appendUnsigned(nil, u)
		if len(b) != unsignedSize(u) {
			t.Errorf("%d was encoded in %d bytes, unsignedSize says %d", u, len(b), unsignedSize(u))
		}
	}
}
