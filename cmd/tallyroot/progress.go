package main

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A progress draws a bar on standard error, when that is a terminal.
type progress struct {
	step string
	bar  *progressbar.ProgressBar
}

// show tells how far the step is, by its name.
func (p *progress) show(step string, done, total uint64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return
	}
	if p.bar == nil || step != p.step {
		p.clear()
		p.step = step
		p.bar = progressbar.NewOptions64(int64(total),
			progressbar.OptionSetWriter(os.Stderr),
			progressbar.OptionSetDescription(step),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100_000_000), // ns: ten times a second
		)
	}
	_ = p.bar.Set64(int64(done)) // a bar that cannot be drawn is no reason to stop
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}
