//go:build !linux

package moto

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
