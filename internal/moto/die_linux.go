package moto

import "syscall"

// dieWithUs has the kernel kill moto if the test ends without its cleanup: by a
// panic, a timeout, or a kill.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
