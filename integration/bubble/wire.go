package bubble

import (
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A wire is one connection of a link, with four goroutines: send takes what the client writes, carry
// brings it to Redis, receive takes what Redis answers, and deliver brings that to the client. They
// are two each way, so that a delay never makes a client or Redis wait in a write.
type wire struct {
	link           *link
	client, server net.Conn
	sent, replies  chan []byte

	once   sync.Once
	broken chan struct{} // closed by cut

	mu    sync.Mutex
	reply *Fault // what is to befall the next reply; nil if none is due
}

// A socket is a client's end of a wire: a pipe that breaks with the errors that TCP has for it.
type socket struct {
	net.Conn
	inOrder bool
}

func (s socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if err == io.ErrClosedPipe {
		err = &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return n, err
}

// A deadline can be set on a connection that the other side has closed. In order, it passes a
// nanosecond late: a context that ends at the same instant has then ended first.

func (s socket) SetDeadline(t time.Time) error { return unlessBroken(s.Conn.SetDeadline(s.late(t))) }
func (s socket) SetReadDeadline(t time.Time) error {
	return unlessBroken(s.Conn.SetReadDeadline(s.late(t)))
}
func (s socket) SetWriteDeadline(t time.Time) error {
	return unlessBroken(s.Conn.SetWriteDeadline(s.late(t)))
}

func (s socket) late(t time.Time) time.Time {
	if s.inOrder && !t.IsZero() {
		t = t.Add(1)
	}
	return t
}

func unlessBroken(err error) error {
	if err == io.ErrClosedPipe {
		return nil
	}
	return err
}

// cut breaks the connection: nothing that is still under way arrives.
func (w *wire) cut() {
	w.once.Do(func() { close(w.broken) })
	_ = w.client.Close()
	_ = w.server.Close()
}

// pause waits, and reports whether the connection still stands.
func (w *wire) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.broken:
		return false
	}
}

// send takes what the client writes, at once.
func (w *wire) send() {
	defer close(w.sent)
	buf := make([]byte, 256<<10) // more than go-redis writes at a time, so that a pipeline comes whole
	for {
		n, err := w.client.Read(buf)
		if err != nil {
			return
		}
		w.sent <- slices.Clone(buf[:n])
	}
}

// carry brings commands to Redis. A client that hangs up doesn't call back what it has sent.
func (w *wire) carry() {
	defer func() {
		w.pause(1) // Redis answers before it learns that nobody listens
		_ = w.server.Close()
	}()
	var pending []byte
	for b := range w.sent {
		pending = append(pending, b...)
		commands, size := w.link.commands(pending)
		if size == 0 {
			continue
		}
		fault, gate := w.link.sent(commands)
		if fault.LoseCommand {
			w.cut()
			return
		}
		if gate != nil {
			select {
			case <-gate:
			case <-w.broken:
				return
			}
		}
		if fault.DelayCommand > 0 && !w.pause(fault.DelayCommand) {
			return
		}
		w.mu.Lock()
		w.reply = &fault
		w.mu.Unlock()
		if _, err := w.server.Write(pending[:size]); err != nil {
			w.cut()
			return
		}
		pending = append(pending[:0], pending[size:]...)
	}
}

// receive takes what Redis answers, at once.
func (w *wire) receive() {
	defer close(w.replies)
	for {
		buf := make([]byte, 4<<10)
		n, err := w.server.Read(buf)
		if err != nil {
			return
		}
		w.replies <- buf[:n]
	}
}

// deliver brings replies to the client.
func (w *wire) deliver() {
	defer w.client.Close()
	for reply := range w.replies {
		w.mu.Lock()
		due := w.reply
		w.reply = nil
		w.mu.Unlock()
		var fault Fault
		switch {
		case due != nil:
			fault = *due
		case reply[0] == '>':
			fault.DelayReply = w.link.pushed()
		}
		if fault.Meanwhile != nil {
			fault.Meanwhile()
		}
		if fault.DelayReply > 0 && !w.pause(fault.DelayReply) {
			continue // lost with the connection, which has yet to be closed for the client
		}
		if fault.LoseReply {
			// In a bubble, a nanosecond lasts until all that can happen has happened: the other
			// commands of the pipeline have taken effect too.
			w.pause(1)
			_ = w.client.Close()
		}
		if gate := w.link.resumed(); gate != nil {
			select {
			case <-gate:
			case <-w.broken:
				continue
			}
		}
		_, _ = w.client.Write(reply) // whether the client is still there or not, Redis is heard out
	}
}
