package lock

import (
	"fmt"
	"strings"
)

// A status says what a script did, or what stood under the key. The scripts' headers define it.
type status int64

const (
	statusNotOurs       status = 0
	statusOK            status = 1
	statusHeld          status = 2
	statusAbandoned     status = 3
	statusDone          status = 4
	statusDoneLong      status = 5
	statusAlreadyStored status = 6
	statusRestored      status = 7
	statusSeen          status = 8
)

// A reply is what a script answered.
type reply struct {
	status status
	value  string    // a claim, or a committed value
	left   int64     // ms of the lease, if it is held
	size   int64     // bytes of a value that was too long to come along
	acks   int64     // in acked mode: how many replicas have what the script wrote
	seen   *rawSight // by inspect, or by act if it did nothing
}

// parseReply reads what a script returned. Anything else than what the scripts say is a fault of
// the server's, not an answer.
func parseReply(v any) (reply, error) {
	switch v := v.(type) {
	case int64:
		switch s := status(v); s {
		case statusNotOurs, statusOK, statusAlreadyStored, statusRestored:
			return reply{status: s}, nil
		}
	case string:
		if strings.HasPrefix(v, "L1 ") { // begin's grant
			return reply{status: statusOK, value: v}, nil
		}
	case []any:
		if r, ok := parseFound(v); ok {
			return r, nil
		}
	}
	return reply{}, fmt.Errorf("unexpected reply of type %T", v)
}

// parseFound reads what a script found under the key, as function found in script/claim.lua says
// it.
func parseFound(v []any) (r reply, ok bool) {
	if len(v) < 2 {
		return reply{}, false
	}
	n, _ := v[0].(int64)
	r.status = status(n)
	switch r.status {
	case statusHeld:
		if len(v) == 3 {
			r.left, _ = v[2].(int64)
		}
		r.value, ok = v[1].(string)
		ok = ok && r.left > 0
	case statusAbandoned, statusDone:
		r.value, ok = v[1].(string)
		ok = ok && len(v) == 2
	case statusDoneLong:
		r.size, ok = v[1].(int64)
		ok = ok && len(v) == 2
	case statusSeen:
		r.seen, ok = parseSight(v)
	}
	return r, ok
}
