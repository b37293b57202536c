// Package port finds ports of loopback for servers of the tests that must be told where to listen.
package port

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// The ports that Free tries in turn, from one that differs from process to process. The system takes
// those of outgoing connections from above them: one of these could come between Free and the server.
const first, ports = 12_000, 20_000

var last atomic.Int64

func init() { last.Store(int64(os.Getpid()) * 97) }

// Free is a port, and the address with it, that nobody listens on.
func Free() (addr, port string, err error) {
	for range ports {
		port = strconv.FormatInt(first+last.Add(1)%ports, 10)
		addr = net.JoinHostPort("127.0.0.1", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr, port, nil
		}
	}
	return "", "", fmt.Errorf("no port of %d to %d is free", first, first+ports)
}
