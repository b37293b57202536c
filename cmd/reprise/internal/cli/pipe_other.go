//go:build !unix

package cli

import "io"

// isUnread: there it shows in the next line that is written.
func isUnread(io.Writer) bool { return false }
