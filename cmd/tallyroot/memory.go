package main

import (
	"os"
	"runtime/debug"
)

// The garbage collector's settings while the service runs. Most of what it
// allocates lives as long as one request, so it collects less often than Go does
// by default, within a bound on the heap that keeps the process under 1 GiB.
//
// What lives longer is a few megabytes on a young log, which would be collected
// several times a second under load. So the collector sees heapFloor bytes more;
// nothing touches them, and they take no memory.
const (
	gcPercent = 400
	heapFloor = 32 << 20  // bytes
	heapLimit = 640 << 20 // bytes
)

// tuneMemory sets them; GOGC and GOMEMLIMIT in the environment come first. The floor
// holds as long as somebody holds what it gives.
func tuneMemory() (floor []byte) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
		floor = make([]byte, heapFloor)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
	return floor
}
