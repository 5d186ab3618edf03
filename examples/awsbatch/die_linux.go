package main

import "syscall"

// dieWithUs has the kernel kill the command if we are killed: the run's secrets
// are about to be removed then.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
