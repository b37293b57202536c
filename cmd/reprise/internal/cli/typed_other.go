//go:build !(aix || darwin || dragonfly || freebsd || linux || netbsd || openbsd || solaris || windows)

package cli

import (
	"errors"
	"os"
)

// dropTyped: there nobody can be asked.
func dropTyped(*os.File) error { return errors.ErrUnsupported }
