//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropTyped drops what has been typed into a terminal and not been read.
func dropTyped(terminal *os.File) error {
	const read = 1 // FREAD of <sys/fcntl.h>
	return unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCFLUSH, read)
}
