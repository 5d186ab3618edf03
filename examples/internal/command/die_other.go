//go:build unix && !linux

package command

import "syscall"

// DieWithUs asks for nothing where no kernel offers it.
func DieWithUs() *syscall.SysProcAttr { return nil }
