package lock

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

//go:embed script/claim.lua
var claimSource string

//go:embed script/begin.lua
var beginSource string

//go:embed script/renew.lua
var renewSource string

//go:embed script/commit.lua
var commitSource string

//go:embed script/release.lua
var releaseSource string

//go:embed script/abandon.lua
var abandonSource string

//go:embed script/regain.lua
var regainSource string

var (
	beginScript   = newScript(beginSource, true)
	renewScript   = newScript(renewSource, true)
	commitScript  = newScript(commitSource, true)
	releaseScript = newScript(releaseSource, false)
	abandonScript = newScript(abandonSource, false)
	regainScript  = newScript(regainSource, false) // counts from its first renewal on
)

// A script is one transition. Its digest and source are kept as they go into a command.
type script struct {
	sha, source any

	// holds: forgetting what the script did would let another run, so replicas have to confirm it
	// in acked mode. (What release and abandon did is forgotten to no harm: the lease runs out.)
	holds bool
}

func newScript(body string, holds bool) *script {
	source := claimSource + body
	sum := sha1.Sum([]byte(source))
	return &script{sha: hex.EncodeToString(sum[:]), source: source, holds: holds}
}

// one is the number of keys of every script.
var one any = 1

// args begins the arguments of EVALSHA, with room for six more: redis.Script.Run copies them
// twice, and begin and commit are sent for every request.
func (s *script) args(key any) []any {
	return append(make([]any, 0, 10), "evalsha", s.sha, one, key)
}

// command builds the EVALSHA command of args.
func (s *script) command(ctx context.Context, args []any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// loading builds the command that sends the source along, for a server that doesn't know the
// script: a new one, or after SCRIPT FLUSH.
func (s *script) loading(ctx context.Context, args []any) *redis.Cmd {
	if c, ok := args[4].(*counted); ok {
		c.sent.Add(-1) // to a server that did nothing
	}
	args = append([]any{"eval", s.source}, args[2:]...)
	return s.command(ctx, args)
}

// counted is a command's argument that counts how often the command is sent: go-redis encodes arguments
// each time it writes a command to a connection.
type counted struct {
	text string
	sent atomic.Int32
}

// MarshalBinary returns the argument as it is sent.
func (c *counted) MarshalBinary() ([]byte, error) {
	c.sent.Add(1)
	return []byte(c.text), nil
}

func unknownScript(err error) bool { return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") }

// What stands under a key after a script ran, as the scripts' headers define it.
type status int64

const (
	notOurs       status = 0
	ok            status = 1
	held          status = 2
	abandoned     status = 3
	done          status = 4
	doneLong      status = 5
	alreadyStored status = 6
	restored      status = 7
)

// A reply is a script's answer: a status, a claim or value, and the milliseconds left of a held
// lease; in acked mode also how many replicas have what the script wrote.
type reply struct {
	status status
	value  string
	left   int64
	size   int64 // of a value that was too long to come along
	acks   int64
}

// parseReply reads what a script returned. Anything else than what the scripts say is a fault of
// the server's, not an answer.
func parseReply(v any) (reply, error) {
	switch v := v.(type) {
	case int64:
		switch s := status(v); s {
		case notOurs, ok, alreadyStored, restored:
			return reply{status: s}, nil
		}
	case string:
		if strings.HasPrefix(v, "L1 ") { // begin's grant
			return reply{status: ok, value: v}, nil
		}
	case []any:
		if len(v) < 2 {
			break
		}
		n, _ := v[0].(int64)
		r := reply{status: status(n)}
		var isText, isSize bool
		if r.value, isText = v[1].(string); !isText {
			r.size, isSize = v[1].(int64)
		}
		switch r.status {
		case held:
			if len(v) == 3 {
				r.left, _ = v[2].(int64)
			}
			if isText && r.left > 0 {
				return r, nil
			}
		case abandoned, done:
			if isText && len(v) == 2 {
				return r, nil
			}
		case doneLong:
			if isSize && len(v) == 2 {
				return r, nil
			}
		}
	}
	return reply{}, fmt.Errorf("unexpected reply of type %T", v)
}
