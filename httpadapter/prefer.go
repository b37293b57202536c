package httpadapter

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reprise-go/reprise/internal/field"
)

// preferredWait returns how long a client is willing to wait, from its first Prefer: wait=N in
// seconds (RFC 7240 §4.3). What is not well-formed is no preference (§2).
func preferredWait(h http.Header) (d time.Duration, ok bool) {
	for _, list := range h["Prefer"] {
		for list != "" {
			var preference string
			preference, list = field.CutElement(list)
			preference, _, _ = strings.Cut(preference, ";") // its parameters
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.Trim(name, " \t"), "wait") {
				continue
			}
			value = strings.Trim(value, " \t")
			if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			seconds, err := strconv.ParseUint(value, 10, 31)
			return time.Duration(seconds) * time.Second, err == nil
		}
	}
	return 0, false
}
