package trillianlog

// ErrCrash ends the publisher where a fault returns it.
var ErrCrash = errCrash

// SetFault makes the publisher call f between its steps.
func (o *Options) SetFault(f func(step string) error) { o.fault = f }
