package intake

import (
	"bytes"
	"io"
	"testing"
)

// A slowly is a body that comes in pieces, and sees how much room each gets.
type slowly struct {
	piece, left int
	came        int
	room        int // the most that was offered beyond what had come, or beyond firstRead
}

func (s *slowly) Read(p []byte) (int, error) {
	s.room = max(s.room, len(p)-max(s.came, firstRead+1))
	n := min(len(p), s.piece, s.left)
	for i := range p[:n] {
		p[i] = byte(s.came + i)
	}
	s.came += n
	s.left -= n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Memory follows the bytes that come, whatever was announced: no length, the true one, too little
// or too much.
func TestReadAllGrowsWithWhatComes(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, firstRead - 1, firstRead, firstRead + 1, 100_000, 1 << 20} {
		for _, announced := range []int64{-1, 0, int64(size) / 2, int64(size), int64(size) + 1, 1 << 40} {
			for _, piece := range []int{1000, 1 << 30} {
				s := &slowly{piece: piece, left: size}
				b, err := ReadAll(s, announced)
				if err != nil || len(b) != size || s.room > 0 || cap(b) > max(2*len(b)+1, firstRead+1024) {
					t.Errorf("%d bytes, %d announced: got %d in %d, %v, room for %d more than had come", size, announced, len(b), cap(b), err, s.room)
				}
				for i := range b {
					if b[i] != byte(i) {
						t.Fatalf("%d bytes, %d announced: another byte at %d", size, announced, i)
					}
				}
			}
		}
	}
}

// A body of the announced length, as most are, takes one piece of memory, and a longer one no more
// than twice its size in all.
func TestReadAllAllocations(t *testing.T) {
	for _, size := range []int{1, 1 << 10, firstRead} {
		body := bytes.NewReader(make([]byte, size))
		n := testing.AllocsPerRun(100, func() {
			body.Seek(0, io.SeekStart)
			ReadAll(body, int64(size))
		})
		if n != 1 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}
