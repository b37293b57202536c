package lock

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// yesman is a connection to a Redis that grants and renews whatever it is asked to, at no cost.
type yesman struct {
	sent    func() // is called for each write
	replies chan []byte
	rest    []byte
	before  []byte // of a command that a write has cut in two
}

func (y *yesman) Write(b []byte) (int, error) {
	if y.sent != nil {
		y.sent()
	}
	const name = "evalsha\r\n"
	b, size := append(y.before, b...), len(b)
	y.before = bytes.Clone(b[max(0, len(b)-len(name)+1):])
	var replies []byte
	if bytes.Contains(b, []byte(beginScript.sha)) {
		replies = fmt.Appendf(replies, "$%d\r\n%s\r\n", len(plain), plain)
	} else if bytes.Contains(b, []byte("hello\r\n")) {
		replies = []byte("-ERR unknown command\r\n")
	} else {
		replies = bytes.Repeat([]byte(":1\r\n"), bytes.Count(b, []byte(name)))
	}
	if len(replies) > 0 {
		y.replies <- replies
	}
	return size, nil
}

func (y *yesman) Read(b []byte) (int, error) {
	if len(y.rest) == 0 {
		var open bool
		if y.rest, open = <-y.replies; !open {
			return 0, io.EOF
		}
	}
	n := copy(b, y.rest)
	y.rest = y.rest[n:]
	return n, nil
}

func (y *yesman) Close() error                     { return nil }
func (y *yesman) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (y *yesman) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (y *yesman) SetDeadline(time.Time) error      { return nil }
func (y *yesman) SetReadDeadline(time.Time) error  { return nil }
func (y *yesman) SetWriteDeadline(time.Time) error { return nil }

// manyLeases takes n leases from a yesman, on which sent is called for each write.
func manyLeases(t testing.TB, n int, sent func()) (*Locker, []*Lease) {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			return &yesman{sent: sent, replies: make(chan []byte, 1<<10)}, nil
		},
		Protocol:                 2,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { client.Close() })
	l, err := New(client, Config{TTL: 10 * time.Hour, MaxHold: 10 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	leases := make([]*Lease, n)
	for i := range leases {
		if leases[i], err = l.TryAcquire(t.Context(), fmt.Sprint("key ", i), Terms{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, l := range leases {
			l.finish(Ended)
		}
		l.renewer.timer.Stop()
	})
	return l, leases
}

// What a renewal takes doesn't depend on how many there are: no goroutine for each, and little
// memory.
func TestRenewingManyLeasesTakesFewGoroutines(t *testing.T) {
	const n = 10_000
	var counting atomic.Bool
	var most atomic.Int64
	l, leases := manyLeases(t, n, func() {
		if counting.Load() {
			most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
		}
	})
	r := &l.renewer
	r.renew(leases[:1]) // connects
	for _, l := range leases {
		l.renewAt = time.Time{} // under way
	}
	var before, after runtime.MemStats
	idle := int64(runtime.NumGoroutine())
	counting.Store(true)
	runtime.ReadMemStats(&before)
	r.renew(leases)
	runtime.ReadMemStats(&after)
	if more := most.Load() - idle; most.Load() == 0 || more > 5 { // fewer, if some of earlier tests have ended
		t.Errorf("%d goroutines more than before, want one for the node and one of redsync's", more)
	}
	if per := (after.TotalAlloc - before.TotalAlloc) / n; per > 1500 {
		t.Errorf("%d bytes allocated for each renewal", per)
	}
	for i, l := range leases {
		if l.renewAt.IsZero() || l.State() != Live {
			t.Fatalf("lease %d: next renewal %v, state %d", i, l.renewAt, l.State())
		}
	}
}

func BenchmarkRenew10000(b *testing.B) {
	l, leases := manyLeases(b, 10_000, nil)
	b.ReportAllocs()
	for b.Loop() {
		l.renewer.renew(leases)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/renewal")
}
