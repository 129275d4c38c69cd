package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"golang.org/x/term"
)

// maxListed bounds how many events `event log` names one by one for people;
// --json and --rejects name them all.
const maxListed = 20

// An outcome is one line of `event log --json`.
type outcome struct {
	File   string `json:"file"`
	Number int    `json:"number"`
	Line   int    `json:"line,omitempty"`
	client.Result
}

// A rejected event is one line of the rejects file: why, and the event itself,
// to be mended and sent again.
type rejected struct {
	File   string          `json:"file"`
	Number int             `json:"number"`
	Line   int             `json:"line,omitempty"`
	Status int             `json:"status,omitempty"` // 0: it was not sent
	Error  string          `json:"error"`
	Fields []client.Field  `json:"fields,omitempty"`
	Event  json.RawMessage `json:"event,omitempty"`
	Text   string          `json:"text,omitempty"` // what could not be read as JSON
}

// A report tells the user what became of the events.
type report struct {
	json    bool
	dryRun  bool
	out     io.Writer
	err     io.Writer
	rejects io.Writer // nil: none
	bar     *progressbar.ProgressBar

	logged, known, pending, refused, skipped int
	listed                                   []string
}

// newProgressBar draws on standard error, when that is a terminal. The size is
// of the input in bytes; -1 is unknown.
func newProgressBar(size int64) *progressbar.ProgressBar {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription("no events yet"),
		progressbar.OptionShowBytes(false),
		progressbar.OptionSetPredictTime(size > 0),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100_000_000), // ns: ten times a second
	)
}

func (r *report) progress(bytes int64) {
	if r.bar != nil {
		r.bar.Describe(countNoun(r.count(), "event"))
		_ = r.bar.Add64(bytes) // a bar that cannot be drawn is no reason to stop
	}
}

func (r *report) count() int { return r.logged + r.known + r.pending + r.refused + r.skipped }

// skip counts an event that an earlier run is known to have been answered for.
func (r *report) skip(e inputEvent) {
	r.skipped++
	r.progress(e.bytes)
}

// add tells of one event.
func (r *report) add(e inputEvent, result client.Result) error {
	defer r.progress(e.bytes)
	refusal := result.Refusal()
	switch {
	case refusal != nil:
		r.refused++
	case result.Status == 202:
		r.pending++
	case result.Status == 200 && !r.dryRun:
		r.known++
	default:
		r.logged++
	}
	if r.json {
		if err := printJSONLine(r.out, outcome{e.file, e.number, e.line, result}); err != nil {
			return err
		}
	} else {
		r.list(e, result, refusal)
	}
	if refusal == nil || r.rejects == nil {
		return nil
	}
	line := rejected{File: e.file, Number: e.number, Line: e.line, Status: refusal.Status, Error: refusal.Message, Fields: refusal.Fields}
	if e.problem != nil {
		line.Text = string(e.raw)
	} else {
		line.Event = e.value.AppendCanonical(nil)
	}
	return printJSONLine(r.rejects, line)
}

func (r *report) list(e inputEvent, result client.Result, refusal *client.Error) {
	if refusal != nil {
		if r.refused <= maxListed {
			r.clear()
			fmt.Fprintf(r.err, "refused  %s: %s\n", printable(e.where()), strings.ReplaceAll(printable(refusal.Error()), "\n", "\n  "))
		} else if r.refused == maxListed+1 && r.rejects == nil {
			r.clear()
			fmt.Fprintf(r.err, "refused  more than %d; --rejects FILE keeps them all with their reasons\n", maxListed)
		}
		return
	}
	for _, w := range result.Warnings {
		if len(r.listed) < maxListed {
			r.clear()
			fmt.Fprintf(r.err, "warning  %s: %s\n", printable(e.where()), printable(w))
		}
	}
	if len(r.listed) > maxListed {
		return
	}
	word, place := "logged ", "-"
	switch {
	case r.dryRun:
		word = "good   "
	case result.Status == 202:
		word = "taken  "
	case result.Status == 200:
		word = "known  "
	}
	if result.Index != nil {
		place = fmt.Sprint(uint64(*result.Index))
	}
	r.listed = append(r.listed, fmt.Sprintf("%s  %s  %s", word, place, result.EventID))
}

func (r *report) clear() {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
}

// summary ends the report. It is for people; --json has one line an event.
func (r *report) summary() string {
	if r.bar != nil {
		_ = r.bar.Finish()
	}
	if !r.json && len(r.listed) <= maxListed {
		for _, line := range r.listed {
			fmt.Fprintln(r.out, line)
		}
	}
	var parts []string
	add := func(n int, words string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words))
		}
	}
	if r.dryRun {
		add(r.logged, "good (nothing was logged)")
	} else {
		add(r.logged, "logged")
	}
	add(r.known, "logged before")
	add(r.pending, "taken, not yet covered by a checkpoint (run the same command again to get the receipts)")
	add(r.skipped, "skipped (done in an earlier run)")
	add(r.refused, "refused")
	events := countNoun(r.count(), "event")
	if len(parts) == 0 { // it was interrupted before there was an answer
		return events
	}
	return events + ": " + strings.Join(parts, ", ")
}
