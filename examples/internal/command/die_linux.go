package command

import "syscall"

// DieWithUs has the kernel kill the command if we are killed: the run's secrets
// are about to be removed then. "With us" means with the thread that starts the
// command, which is to be locked (runtime.LockOSThread) until the command has ended.
func DieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
