package main

import (
	"os"
	"runtime/debug"
)

// The garbage collector's settings while the service runs. Most of what it
// allocates lives as long as one request, so it collects less often than Go does
// by default, within a bound on the heap that keeps the process under 1 GiB.
const (
	gcPercent = 400
	heapLimit = 640 << 20 // bytes
)

// tuneMemory sets them; GOGC and GOMEMLIMIT in the environment come first.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
}
