package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/urfave/cli/v2"
	"k8s.io/klog/v2"
)

// newLogger writes to standard error: standard output has the one line that
// scripts wait for. Trillian's remarks go there too.
func newLogger(c *cli.Context) *slog.Logger {
	level := slog.LevelInfo
	if c.Bool("verbose") {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if c.Bool("json") {
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	return useLogger(slog.New(handler))
}

// warnings is the logger of a command whose output is an answer.
func warnings() *slog.Logger {
	return useLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// useLogger makes the logger that of Trillian's packages too, which write with
// klog, one for the whole process.
func useLogger(logger *slog.Logger) *slog.Logger {
	klog.SetSlogLogger(slog.New(trillianHandler{logger.Handler()}))
	return logger
}

// trillianHandler lowers the levels of what Trillian says. It speaks of each
// batch, and calls an error what its caller, who gets it too, may only have to
// try again.
type trillianHandler struct{ slog.Handler }

func lowered(level slog.Level) slog.Level {
	if level >= slog.LevelError {
		return slog.LevelWarn
	}
	return min(level, slog.LevelDebug)
}

func (h trillianHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, lowered(level))
}

func (h trillianHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lowered(r.Level)
	if !h.Handler.Enabled(ctx, r.Level) { // nobody asked before an error
		return nil
	}
	r.AddAttrs(slog.String("from", "trillian"))
	return h.Handler.Handle(ctx, r)
}

func (h trillianHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return trillianHandler{h.Handler.WithAttrs(attrs)}
}

func (h trillianHandler) WithGroup(name string) slog.Handler {
	return trillianHandler{h.Handler.WithGroup(name)}
}
