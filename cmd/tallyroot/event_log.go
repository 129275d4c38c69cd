package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/urfave/cli/v2"
)

const (
	// batchEvents and batchBytes bound what one request carries, well under the
	// service's limits: an answer comes, and the cursor moves, every second or so.
	batchEvents = 500
	batchBytes  = 4 << 20
	// maxEvent is the service's limit for one event.
	maxEvent = 1 << 20
	// coverAttempts is how often an event that was taken is asked for again until
	// a checkpoint covers it. Each time the service waits up to ten seconds.
	coverAttempts = 6
)

func eventLogCommand() *cli.Command {
	return &cli.Command{
		Name:      "log",
		Usage:     "log the events of files, or of standard input",
		ArgsUsage: "FILE…|-",
		Description: "A file holds an EPCIS 2.0 event, an array of events, an EPCIS document or query\n" +
			"document (its @context goes into each event), or one such JSON text a line (NDJSON).\n" +
			"Product and place statements are taken too.\n\n" +
			"To run it again is always right: an event that is in the log already answers its\n" +
			"place and is counted as logged before. With --resume FILE an interrupted run also\n" +
			"skips what it was answered for; FILE is removed at the end.\n\n" +
			"With --key the events are signed here, with the participant's own key, and logged as\n" +
			"signed. The exit code is 1 when an event was refused.\n\n" +
			"Examples:\n" +
			"  tallyroot event log harvest.json --token-file hillside.token\n" +
			"  tallyroot event log *.ndjson --rejects rejects.ndjson --resume cursor.json\n" +
			"  zcat events.ndjson.gz | tallyroot event log - --dry-run\n" +
			"  tallyroot event log harvest.json --key hillside.key --json",
		Flags: readFlags(
			&cli.BoolFlag{Name: "dry-run", Usage: "only ask whether the events would be taken"},
			&cli.StringFlag{Name: "rejects", Usage: "write refused events and the reasons to `FILE`, as NDJSON", TakesFile: true},
			&cli.StringFlag{Name: "resume", Usage: "keep in `FILE` how far it came, and go on from there", TakesFile: true},
			&cli.StringFlag{Name: "key", Usage: "sign with the private key in `FILE`, which `tallyroot key generate` made", TakesFile: true},
			&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`, to sign for; by default the service's checkpoint says it"},
		),
		Action: eventLog,
	}
}

func eventLog(c *cli.Context) (err error) {
	files, err := manyArguments(c, "FILE")
	if err != nil {
		return err
	}
	dryRun := c.Bool("dry-run")
	cl, err := connect(c, !dryRun)
	if err != nil {
		return err
	}
	sender := &sender{client: cl, dryRun: dryRun}
	if file := c.String("key"); file != "" {
		if sender.signer, err = newSigner(c.Context, cl, file, c.String("origin")); err != nil {
			return err
		}
	} else if c.IsSet("origin") {
		return usagef("--origin says for which log to sign: it goes with --key FILE")
	}
	if dryRun && c.IsSet("resume") {
		return usagef("--resume does not go with --dry-run, which logs nothing")
	}
	resume, err := openResumer(c.String("resume"))
	if err != nil {
		return err
	}
	r := &report{json: c.Bool("json"), dryRun: dryRun, out: os.Stdout, err: os.Stderr, bar: newProgressBar(inputSize(files))}
	if file := c.String("rejects"); file != "" {
		mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
		if resume.from.Events > 0 {
			mode = os.O_CREATE | os.O_WRONLY | os.O_APPEND
		}
		f, err := os.OpenFile(file, mode, 0o644)
		if err != nil {
			return err
		}
		defer func() {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
		}()
		r.rejects = f
	}
	sendErr := sender.sendAll(c.Context, files, resume, r)
	summary := r.summary()
	if sendErr != nil && r.count() == 0 && !errors.Is(sendErr, context.Canceled) {
		return sendErr
	}
	if r.json {
		fmt.Fprintln(os.Stderr, summary)
	} else {
		fmt.Println(summary)
	}
	if errors.Is(sendErr, context.Canceled) {
		return fmt.Errorf("interrupted after %s; run the same command again: what is logged is recognised", countNoun(r.count(), "event"))
	}
	if sendErr != nil {
		return fmt.Errorf("stopped after %s (run the same command again: what is logged is recognised): %w", countNoun(r.count(), "event"), sendErr)
	}
	if r.refused > 0 || r.pending > 0 {
		return silentError{}
	}
	return nil
}

// A sender takes events to the service, in order.
type sender struct {
	client *client.Client
	dryRun bool
	signer *signer // nil: the service signs
	batch  []inputEvent
	bodies [][]byte
	size   int
	at     cursor // behind the last event of the batch
}

func (s *sender) sendAll(ctx context.Context, files []string, resume *resumer, r *report) error {
	flush := func() error {
		if len(s.batch) == 0 {
			return nil
		}
		if err := s.flush(ctx, r); err != nil {
			return err
		}
		return resume.save(s.at)
	}
	for e, err := range inputEvents(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var done bool
		var at cursor
		if err == nil {
			done, at, err = resume.skip(e)
		}
		if err != nil {
			return errors.Join(err, flush()) // what came before it is good
		}
		if done {
			r.skip(e)
			continue
		}
		body := e.value.AppendCanonical(nil)
		if len(s.batch) == batchEvents || s.size+len(body) > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		s.batch, s.bodies = append(s.batch, e), append(s.bodies, body)
		s.size += len(body)
		s.at = at
	}
	if err := flush(); err != nil {
		return err
	}
	return resume.end()
}

// flush sends the batch and reports each event. On an error nothing of the
// batch is reported, and all of it has to be sent again.
func (s *sender) flush(ctx context.Context, r *report) error {
	results, err := s.settle(ctx)
	if err != nil {
		return err
	}
	for i, e := range s.batch {
		if err := r.add(e, results[i]); err != nil {
			return err
		}
	}
	s.batch, s.bodies, s.size = s.batch[:0], s.bodies[:0], 0
	return nil
}

// settle sends the batch, and what is not yet covered by a checkpoint again.
func (s *sender) settle(ctx context.Context) ([]client.Result, error) {
	results := make([]client.Result, len(s.batch))
	var ask []int // events that the service is asked about
	for i, e := range s.batch {
		switch {
		case e.problem != nil:
			results[i] = refusal(0, e.problem.Error())
		case len(s.bodies[i]) > maxEvent:
			results[i] = refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("the event has %d bytes; the limit is %d", len(s.bodies[i]), maxEvent))
		default:
			ask = append(ask, i)
		}
	}
	for attempt := 0; len(ask) > 0 && attempt < coverAttempts; attempt++ {
		answers, err := s.send(ctx, ask)
		if err != nil {
			return nil, err
		}
		var again []int
		for n, i := range ask {
			results[i] = answers[n]
			switch answers[n].Status {
			case http.StatusAccepted:
				again = append(again, i)
			case http.StatusServiceUnavailable, http.StatusTooManyRequests:
				// Not the event's fault: to go on would only refuse all the rest.
				return nil, fmt.Errorf("the service takes no more events now: %s", answers[n].Error.Message)
			}
		}
		ask = again
	}
	return results, nil
}

// send asks about the chosen events of the batch.
func (s *sender) send(ctx context.Context, chosen []int) ([]client.Result, error) {
	if s.signer != nil {
		return s.sendSigned(ctx, chosen)
	}
	bodies := make([][]byte, len(chosen))
	for n, i := range chosen {
		bodies[n] = s.bodies[i]
	}
	if s.dryRun {
		return s.client.Validate(ctx, bodies)
	}
	return s.client.Log(ctx, bodies)
}

// sendOne logs one event, and waits until a checkpoint covers it or for long
// enough.
func (s *sender) sendOne(ctx context.Context, event jcs.Value) (client.Result, error) {
	s.batch, s.bodies = []inputEvent{{value: event}}, [][]byte{event.AppendCanonical(nil)}
	results, err := s.settle(ctx)
	if err != nil {
		return client.Result{}, err
	}
	return results[0], nil
}

func (s *sender) sendSigned(ctx context.Context, chosen []int) ([]client.Result, error) {
	results := make([]client.Result, len(chosen))
	for n, i := range chosen {
		text, err := s.signer.sign(s.batch[i].value)
		if err != nil {
			results[n] = refusal(0, err.Error())
			continue
		}
		if s.dryRun {
			results[n], err = s.client.ValidateEntry(ctx, text)
		} else {
			results[n], err = s.client.LogEntry(ctx, text)
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// refusal is the result of an event that is refused here; status 0 means that
// the service was not asked.
func refusal(status int, why string) client.Result {
	return client.Result{Status: status, Error: &client.Status{Message: why}}
}
