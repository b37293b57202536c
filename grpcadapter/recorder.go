package grpcadapter

import (
	"errors"
	"sync"

	"google.golang.org/grpc/metadata"
)

// A recorder is the grpc.ServerTransportStream of a handler under a key: where grpc.SetHeader,
// SendHeader and SetTrailer put their metadata. It holds all of it back until the answer is stored.
type recorder struct {
	method string

	mu       sync.Mutex // A goroutine that the handler leaves behind may call, and is refused.
	header   metadata.MD
	trailer  metadata.MD
	complete bool // The handler wants nothing more in the header.
	closed   bool // The handler has returned.
}

var (
	errSent   = errors.New("grpcadapter: the header has been sent")
	errClosed = errors.New("grpcadapter: the call has been answered")
)

// close leaves header and trailer to whoever reads them.
func (c *recorder) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

func (c *recorder) Method() string { return c.method }

func (c *recorder) SetHeader(md metadata.MD) error { return c.addHeader(md, false) }

// SendHeader sends nothing yet, but as with gRPC's own the header is complete.
func (c *recorder) SendHeader(md metadata.MD) error { return c.addHeader(md, true) }

func (c *recorder) addHeader(md metadata.MD, last bool) error {
	if err := checkMetadata(md); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return errClosed
	case c.complete:
		return errSent
	}
	c.header, c.complete = metadata.Join(c.header, md), last
	return nil
}

func (c *recorder) SetTrailer(md metadata.MD) error {
	if err := checkMetadata(md); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.trailer = metadata.Join(c.trailer, md)
	return nil
}
