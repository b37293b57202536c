package bubble

import (
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// A wire is one connection of a link, with three goroutines: carry brings commands to Redis,
// receive takes what Redis answers, and deliver brings it to the client. The latter are two, so
// that a delayed reply never makes Redis wait in a write.
type wire struct {
	link           *link
	client, server net.Conn
	replies        chan []byte

	once   sync.Once
	broken chan struct{} // closed by cut

	mu    sync.Mutex
	reply Fault // what is to befall the next reply
}

// A socket is a client's end of a wire: a pipe that breaks with the errors that TCP has for it.
type socket struct{ net.Conn }

func (s socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if err == io.ErrClosedPipe {
		err = &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return n, err
}

// A deadline can be set on a connection that the other side has closed.

func (s socket) SetDeadline(t time.Time) error      { return unlessBroken(s.Conn.SetDeadline(t)) }
func (s socket) SetReadDeadline(t time.Time) error  { return unlessBroken(s.Conn.SetReadDeadline(t)) }
func (s socket) SetWriteDeadline(t time.Time) error { return unlessBroken(s.Conn.SetWriteDeadline(t)) }

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

// carry brings commands to Redis. A client that hangs up doesn't call back what it has sent.
func (w *wire) carry() {
	defer w.server.Close()
	var pending []byte
	buf := make([]byte, 256<<10) // more than go-redis writes at a time, so that a pipeline comes whole
	for {
		n, err := w.client.Read(buf)
		if err != nil {
			return
		}
		pending = append(pending, buf[:n]...)
		names, size := w.link.commands(pending)
		if size == 0 {
			continue
		}
		fault, gate := w.link.sent(names)
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
		w.reply = fault
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
		fault := w.reply
		w.reply = Fault{}
		w.mu.Unlock()
		if fault.Meanwhile != nil {
			fault.Meanwhile()
		}
		if fault.DelayReply > 0 {
			w.pause(fault.DelayReply)
		}
		if fault.LoseReply {
			// In a bubble, a nanosecond lasts until all that can happen has happened: the other
			// commands of the pipeline have taken effect too.
			w.pause(1)
			_ = w.client.Close()
		}
		_, _ = w.client.Write(reply) // whether the client is still there or not, Redis is heard out
	}
}
