// Package intake reads bodies that others send, of requests and of answers, into memory that grows
// with the bytes received and not with those announced.
package intake

import "io"

// firstRead is the memory, in bytes, that a body gets before any of it has come. It is as much as
// net/http spends on a connection's read buffer, so a client gains nothing by announcing a long
// body.
const firstRead = 4 << 10

// ReadAll reads r to its end. announced is the length that the sender announced, or -1. Beyond
// firstRead, the buffer at most doubles each time that it is full, whatever was announced; the
// announced length only prevents that the last step is too large.
func ReadAll(r io.Reader, announced int64) ([]byte, error) {
	if announced < 0 {
		announced = 511
	}
	b := make([]byte, 0, min(announced, firstRead)+1) // one byte more, to find the end without growing
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
