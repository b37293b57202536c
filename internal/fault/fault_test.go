package fault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// answer is an error reply of Redis.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

// The texts are those of Redis 7.0 and 6.2, as they come from EVALSHA.
func TestCause(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, tc := range []struct {
		err  error
		want string
		side side
	}{
		{answer("OOM command not allowed when used memory > 'maxmemory'. script: 3a2, on @user_script:63."), "OOM", remote},
		{answer("ERR Error running script (call to f_3a2): @user_script:63: -OOM command not allowed when used memory > 'maxmemory'."), "OOM", remote},
		{answer("READONLY You can't write against a read only replica. script: 3a2, on @user_script:63."), "READONLY", remote},
		{answer("NOREPLICAS Not enough good replicas to write."), "NOREPLICAS", remote},
		{answer("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."), "MISCONF", remote},
		{answer("LOADING Redis is loading the dataset in memory"), "LOADING", remote},
		{answer("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."), "MASTERDOWN", remote},
		{answer("CLUSTERDOWN Hash slot not served"), "CLUSTERDOWN", remote},
		{answer("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."), "BUSY", remote},

		{answer("NOPERM this user has no permissions to run the 'evalsha' command"), "NOPERM EVALSHA", local},
		{answer("NOPERM User alice has no permissions to run the 'cluster|slots' command"), "NOPERM CLUSTER", local},
		{answer("NOPERM this user has no permissions to access one of the keys used as arguments: 'order-4711'"), "NOPERM", local},
		{answer("ERR The user executing the script can't run this command or subcommand script: 3a2, on @user_script:63."), "NOPERM in a script", local},
		{answer("ERR ACL failure in script: User alice has no permissions to run the 'set' command"), "NOPERM in a script", local},
		{answer("WRONGPASS invalid username-password pair or user is disabled."), "WRONGPASS", local},
		{answer("ERR invalid password"), "WRONGPASS", local},
		{answer("NOAUTH Authentication required."), "NOAUTH", local},
		{answer("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"), "a password where none is set", local},
		{answer("ERR unknown command 'EVALSHA', with args beginning with: '3a2' '1' 'reprise:77' 'token' "), "unknown command EVALSHA", local},
		{answer("ERR unknown command `evalsha`, with args beginning with: `3a2`, `1`, `reprise:77`, "), "unknown command EVALSHA", local},
		{answer("ERR unknown command 'hunter2', with args beginning with: 'secret' "), "unknown command", local},
		{answer("ERR Unknown Redis command called from script script: 3a2, on @user_script:63."), "unknown command in a script", local},
		{answer("ERR max number of clients reached"), "max number of clients reached", local},
		{answer("ERR DB index is out of range"), "no such database number", local},
		{answer("MOVED 3999 10.0.0.7:6381"), "MOVED", local},
		{answer("ASK 3999 10.0.0.7:6381"), "ASK", local},
		{answer("DENIED Redis is running in protected mode because protected mode is enabled"), "DENIED", local},
		{answer("ERR out of order: OOM READONLY"), "another refusal", local},
		{answer("SECRET4711 told"), "another refusal", local},
		{answer(""), "another refusal", local},

		{redis.ErrPoolTimeout, "the client's pool is used up", unclear},
		{redis.ErrPoolExhausted, "the client's pool is used up", unclear},
		{redis.ErrClosed, "the client is closed", local},
		{&net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed}, "the client is closed", local},
		{context.DeadlineExceeded, "no answer in time", unclear},
		{os.ErrDeadlineExceeded, "no answer in time", unclear},
		{dial(context.DeadlineExceeded), "no answer in time", unclear},
		{context.Canceled, "other", local},
		{redis.Nil, "other", local},
		{errors.New("rate limited"), "other", local},
		{dial(syscall.ECONNREFUSED), "connection refused", remote},
		{dial(syscall.EHOSTUNREACH), "network error", remote},
		{dial(syscall.EMFILE), "this machine is out of descriptors, ports or memory", local},
		{dial(syscall.EADDRNOTAVAIL), "this machine is out of descriptors, ports or memory", local},
		{dial(syscall.EPERM), "this machine may not connect", local},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "redis.internal"}}, "host not found", remote},
		{io.EOF, "connection broken", remote},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "connection broken", remote},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "a certificate or TLS is refused", local},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "a certificate or TLS is refused", local},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, "a certificate or TLS is refused", local},
	} {
		for _, err := range []error{tc.err, fmt.Errorf("lock: acquire: redis unavailable: %w", tc.err)} {
			if got := Cause(err); got != tc.want {
				t.Errorf("%v: cause %q, want %q", err, got, tc.want)
			}
			if got := sideOf(err); got != tc.side {
				t.Errorf("%v: side %d, want %d", err, got, tc.side)
			}
			_, refused := tc.err.(answer)
			if Refused(err) != refused {
				t.Errorf("%v: refused %v", err, Refused(err))
			}
		}
	}
}

// Whatever Redis replies, Cause returns one of its fixed words.
func FuzzCause(f *testing.F) {
	for _, text := range []string{
		"OOM command", "ERR unknown command 'evalsha', with args", "NOPERM user 'get'", "ERR Error running script -BUSY",
		"ERR ACL failure in script", "MOVED 1 host:1", "NOPERM `eval|x`", "''", "ERR unknown command '", "\x00", "",
	} {
		f.Add(text)
	}
	words := map[string]bool{"another refusal": true}
	for _, all := range [][]string{outOfService, refusals} {
		for _, w := range all {
			words[w] = true
		}
	}
	for _, p := range phrases {
		words[p.word] = true
	}
	for _, c := range commands {
		words["NOPERM "+c], words["unknown command "+c] = true, true
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := Cause(answer(text)); !words[got] {
			t.Errorf("%q: cause %q", text, got)
		}
		if got := Cause(errors.New(text)); got != "other" {
			t.Errorf("%q, of no server: cause %q", text, got)
		}
	})
}
