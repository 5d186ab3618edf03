//go:build unix && !linux

package command

import (
	"os"
	"syscall"
)

// DieWithUs asks for nothing where no kernel offers it.
func DieWithUs() *syscall.SysProcAttr { return nil }

func fromTerminal(os.Signal) bool { return false }
