package lock

import (
	"crypto/sha1"
	_ "embed"
	"encoding/hex"

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

//go:embed script/look.lua
var lookSource string

//go:embed script/inspect.lua
var inspectSource string

//go:embed script/act.lua
var actSource string

var (
	beginScript   = newScript("begin", beginSource, true)
	renewScript   = newScript("renew", renewSource, true)
	commitScript  = newScript("commit", commitSource, true)
	releaseScript = newScript("release", releaseSource, false)
	abandonScript = newScript("abandon", abandonSource, false)
	regainScript  = newScript("regain", regainSource, false) // counts from its first renewal on
	inspectScript = newScript("inspect", lookSource+inspectSource, false)
	actScript     = newScript("act", lookSource+actSource, false)
)

// A script is one transition of a claim.
type script struct {
	name        string
	sha, source string

	// needsAcks: another holder could run if Redis forgot what the script did, so in acked mode
	// replicas have to confirm it. Forgetting a release or an abandon does no harm: the lease
	// then runs out.
	needsAcks bool

	// How its two commands begin: the command's name, the digest or the text, and the number of
	// keys. They are boxed here once, because begin and commit are sent for every request.
	evalsha, eval [3]any
}

func newScript(name, body string, needsAcks bool) *script {
	source := claimSource + body
	sum := sha1.Sum([]byte(source))
	sha := hex.EncodeToString(sum[:])
	return &script{
		name: name, sha: sha, source: source, needsAcks: needsAcks,
		evalsha: [3]any{"evalsha", sha, 1},
		eval:    [3]any{"eval", source, 1},
	}
}

// isUnknownScript tells a server that doesn't know a script's digest: a new one, or one after
// SCRIPT FLUSH. It has done nothing then.
func isUnknownScript(err error) bool { return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") }
