package cli

import (
	"os"

	"golang.org/x/sys/windows"
)

// dropTyped drops what has been typed into a terminal and not been read.
func dropTyped(terminal *os.File) error {
	return windows.FlushConsoleInputBuffer(windows.Handle(terminal.Fd()))
}
