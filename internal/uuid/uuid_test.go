package uuid

import "testing"

func TestFormat(t *testing.T) {
	var zeros, ones [16]byte
	for i := range ones {
		ones[i] = 0xff
	}
	for _, c := range []struct {
		version byte
		b       [16]byte
		want    string
	}{
		{4, zeros, "00000000-0000-4000-8000-000000000000"},
		{4, ones, "ffffffff-ffff-4fff-bfff-ffffffffffff"},
		{8, [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, "00010203-0405-8607-8809-0a0b0c0d0e0f"},
	} {
		if got := Format(c.version, c.b); got != c.want {
			t.Errorf("Format(%d, %x) = %s, want %s", c.version, c.b, got, c.want)
		}
	}
}
