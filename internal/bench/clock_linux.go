package main

import (
	"syscall"
	"time"
)

// threadTime is how long the calling thread has run on a processor. What else the
// machine does is not in it, nor is garbage collection, which runs beside it.
func threadTime() time.Duration { return used(syscall.RUSAGE_THREAD) }

// processTime is how long all threads have.
func processTime() time.Duration { return used(syscall.RUSAGE_SELF) }

func used(by int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(by, &u); err != nil {
		panic(err) // it can't fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
