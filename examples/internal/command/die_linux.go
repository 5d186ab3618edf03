package command

import (
	"os"
	"syscall"
	"unsafe"
)

// DieWithUs has the kernel kill the command if we are killed: the run's secrets
// are about to be removed then. "With us" means with the thread that starts the
// command, which is to be locked (runtime.LockOSThread) until the command has ended.
func DieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// fromTerminal reports whether the command has a signal already, since a key of the
// terminal sends it to all of the group in its foreground, of which both are. Twice,
// it would mean more: to Nextflow, that it is not to wait for its tasks.
func fromTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	var foreground int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&foreground)))
	return errno == 0 && int(foreground) == syscall.Getpgrp()
}
