package trillianlog

import "time"

// ErrCrash ends the publisher where a fault returns it.
var ErrCrash = errCrash

// SetFault makes the publisher call f between its steps.
func (o *Options) SetFault(f func(step string) error) { o.fault = f }

// SetProbe makes the log ask the back end so often whether it answers, and wait so
// long for it.
func (o *Options) SetProbe(every, timeout time.Duration) { o.probe = probe{every, timeout} }
