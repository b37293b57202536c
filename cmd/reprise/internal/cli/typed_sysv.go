//go:build linux || aix || solaris

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropTyped drops what has been typed into a terminal and not been read.
func dropTyped(terminal *os.File) error {
	return unix.IoctlSetInt(int(terminal.Fd()), unix.TCFLSH, unix.TCIFLUSH)
}
