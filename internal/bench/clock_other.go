//go:build !linux

package main

import "time"

var began = time.Now()

// threadTime is as near as it gets elsewhere: what else the machine does is in it.
func threadTime() time.Duration { return time.Since(began) }

func processTime() time.Duration { return time.Since(began) }
