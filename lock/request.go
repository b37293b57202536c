package lock

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A request is one call of a script. No other file knows the order of a script's arguments, which
// its header in script/ defines.
type request struct {
	script *script
	lease  leaseID         // of inspect and act: its key alone
	caller context.Context // of begin: who asks; nobody begins for a caller who has gone
	sent   *sendings       // of release, abandon and act
	bytes  int             // of the value that commit brings
	args   []any           // of EVALSHA
}

// A leaseID tells a lease from all others: by its key, and by the token of its owner. Both are boxed
// once for all commands of the lease, which carry them.
type leaseID struct{ boxedKey, boxedToken any }

func newLeaseID(key, token string) leaseID { return leaseID{key, token} }

func (id leaseID) key() string   { return id.boxedKey.(string) }
func (id leaseID) token() string { return id.boxedToken.(string) }

// The places in request.args of the owner's token, which is ARGV[1], and of commit's value.
const (
	tokenAt = 4
	valueAt = 5
)

// request builds a request of a lease.
func (s *script) request(id leaseID, argv ...any) request {
	r := s.command(id.boxedKey, id.boxedToken, argv...)
	r.lease = id
	return r
}

// command builds a request on a key; first is ARGV[1]. redis.Script.Run would copy the arguments twice.
func (s *script) command(key, first any, argv ...any) request {
	args := append(make([]any, 0, tokenAt+1+len(argv)), s.evalsha[:]...)
	args = append(append(args, key, first), argv...)
	return request{script: s, lease: leaseID{boxedKey: key}, args: args}
}

// evalsha is the command that names the script by its digest.
func (r request) evalsha(ctx context.Context) *redis.Cmd {
	cmd := redis.NewCmd(ctx, r.args...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// eval is the command that brings the script's source along, and so loads it.
func (r request) eval(ctx context.Context) *redis.Cmd {
	r.args = slices.Clone(r.args)
	copy(r.args, r.script.eval[:])
	return r.evalsha(ctx)
}

// owned is the request with a value of its own, for one that may be sent after its caller has left.
func (r request) owned() request {
	if r.bytes > 0 {
		r.args = slices.Clone(r.args)
		r.args[valueAt] = slices.Clone(r.args[valueAt].([]byte))
	}
	return r
}

// requests builds the requests to one server. It has those arguments that come from the
// configuration, boxed once.
type requests struct {
	lease, remember any // ms
	inline          any // bytes
}

func newRequests(cfg Config, inline int64) requests {
	return requests{
		lease:    cfg.TTL.Milliseconds(),
		remember: cfg.Remember.Milliseconds(),
		inline:   inline,
	}
}

func (q requests) begin(caller context.Context, id leaseID, terms Terms) request {
	r := beginScript.request(id, q.lease, q.remember,
		inClaim(terms.Fingerprint), flag(!terms.LeaveAbandoned), q.inline)
	r.caller = caller
	return r
}

func (q requests) renew(id leaseID, lease time.Duration) request {
	return renewScript.request(id, lease.Milliseconds(), q.remember)
}

func (q requests) commit(id leaseID, value []byte, retention time.Duration) request {
	r := commitScript.request(id, value, retention.Milliseconds(), q.inline)
	r.bytes = len(value)
	return r
}

// end is release or abandon by a holder, whose sendings are counted.
func (q requests) end(sc *script, id leaseID) request {
	r := sc.request(id, q.inline, q.remember)
	r.sent = &sendings{token: id.token()}
	r.args[tokenAt] = r.sent
	return r
}

// handBack is the release of a claim that nobody has worked under.
func (q requests) handBack(id leaseID) request {
	return releaseScript.request(id, q.inline, q.remember, flag(true))
}

func (q requests) regain(id leaseID, c Claim, fence int64, lease time.Duration) request {
	return regainScript.request(id, lease.Milliseconds(), q.remember,
		inClaim(c.Fingerprint), c.Attempt, fence)
}

// inspect and act have no lease: ARGV[1] is how many bytes to show, or the first bytes that were seen.
func (q requests) inspect(key string, head int64) request { return inspectScript.command(key, head) }

func (q requests) act(act Act, seen Sight) request {
	var remember any = "-"
	if act == AbandonClaim {
		remember = seen.Claim.Remember.Milliseconds()
	}
	head := &sendings{token: seen.Head}
	r := actScript.command(seen.Key, head, seen.tail, seen.Size, remember, max(len(seen.Head), minHead))
	r.sent = head
	return r
}

// flag is a yes or no as the scripts take it.
func flag(b bool) any {
	if b {
		return "1"
	}
	return "0"
}

// sendings is an owner's token that counts how often a command with it is sent: go-redis encodes
// the arguments each time it writes a command to a connection. A nil one counts nothing.
type sendings struct {
	token string
	n     atomic.Int32
}

// MarshalBinary returns the token as it is sent.
func (s *sendings) MarshalBinary() ([]byte, error) {
	s.n.Add(1)
	return []byte(s.token), nil
}

// discount takes back the last sending, to a server that did nothing.
func (s *sendings) discount() {
	if s != nil {
		s.n.Add(-1)
	}
}

// several tells whether a server may have acted on an earlier sending than the last.
func (s *sendings) several() bool { return s.n.Load() > 1 }
