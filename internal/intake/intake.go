// Package intake takes in what others send: a server a request's body, a client an answer's.
package intake

import "io"

// firstRead is the memory that a body gets before any of it has come: what net/http spends on a connection's own read
// buffer, so that a client gains nothing by announcing more.
const firstRead = 4 << 10

// ReadAll reads r to its end. Memory follows the bytes that have come and never those that were announced (-1 if none
// were): beyond firstRead there is never more room than has been filled. What was announced only keeps the last step
// from being too large.
func ReadAll(r io.Reader, announced int64) ([]byte, error) {
	if announced < 0 {
		announced = 511
	}
	b := make([]byte, 0, min(announced, firstRead)+1) // one more, so that the end is met without growing
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			size := 2 * len(b)
			if left := announced - int64(len(b)); left >= 0 && left < int64(len(b)) {
				size = int(announced) + 1
			}
			b = append(make([]byte, 0, size), b...)
		}
	}
}
