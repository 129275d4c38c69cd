package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/urfave/cli/v2"
)

const kindNames = "object, input, by, participant, master, transformation, operator, place"

func historyCommand() *cli.Command {
	return &cli.Command{
		Name:      "history",
		Usage:     "read what the log holds about one identifier, with its proofs",
		ArgsUsage: "ID",
		Description: "ID is a GS1 Digital Link, an EPC URN or another URI; for the kinds by and participant it\n" +
			"is a participant's id. --json prints the history with its proofs, and --out keeps that in\n" +
			"a file: `tallyroot verify FILE` checks it without the service. A history of more than\n" +
			"1000 entries comes in pages, one JSON text after the other.\n\n" +
			"Examples:\n" +
			"  tallyroot history https://id.gs1.org/01/09506000134352/10/LOT-7\n" +
			"  tallyroot history urn:epc:id:sgtin:9506000.013435.7 --out apples.history.json\n" +
			"  tallyroot verify apples.history.json --log-key log.vkey\n" +
			"  tallyroot history hillside --kind by",
		Flags: readFlags(
			kindFlag(),
			&cli.StringFlag{Name: "out", Usage: "write the history with its proofs into `FILE`", TakesFile: true},
		),
		Action: showHistory,
	}
}

func kindFlag() cli.Flag {
	return &cli.StringFlag{Name: "kind", Usage: "`KIND` of history: " + kindNames, Value: "object"}
}

// askedFor is what --kind and an identifier ask for.
func askedFor(c *cli.Context, id string) (historyindex.Key, error) {
	kind, err := historyindex.ParseKind(c.String("kind"))
	if err != nil {
		return historyindex.Key{}, usagef("--kind %q: it is one of %s", c.String("kind"), kindNames)
	}
	return historyindex.Key{Kind: kind, Identifier: id}, nil
}

func showHistory(c *cli.Context) error {
	args, err := arguments(c, "ID")
	if err != nil {
		return err
	}
	asked, err := askedFor(c, args[0])
	if err != nil {
		return err
	}
	cl, err := connect(c, false)
	if err != nil {
		return err
	}
	var saved bytes.Buffer
	var entries []history.Entry
	canonical := args[0]
	err = eachPage(c.Context, cl, asked, func(text []byte, page *history.History) error {
		saved.Write(bytes.TrimSpace(text))
		saved.WriteByte('\n')
		entries, canonical = append(entries, page.Entries...), page.ID
		return nil
	})
	if err != nil {
		return err
	}
	if out := c.String("out"); out != "" {
		if err := writeFile(out, saved.Bytes()); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		_, err := os.Stdout.Write(saved.Bytes())
		return err
	}
	if len(entries) == 0 {
		fmt.Printf("nothing is logged yet about %s (kind %s)\n", canonical, asked.Kind)
		return nil
	}
	fmt.Printf("%s (kind %s)\n", canonical, asked.Kind)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INDEX\tBY\tTYPE\tWHAT\tTIME\tID")
	for _, h := range entries {
		e, err := entry.Parse(h.Entry)
		if err != nil {
			fmt.Fprintf(w, "%d\tnot an entry: %v\n", h.Index, err)
			continue
		}
		what := member(e.JSON, "bizStep")
		if what == "-" {
			what = member(e.JSON, "name")
		}
		if _, withdrawn := e.JSON.Get("errorDeclaration"); withdrawn {
			what += " (withdrawn)"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", h.Index, strings.Join(e.Participants, ", "),
			e.Type(), what, member(e.JSON, "eventTime"), member(e.JSON, "eventID"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "That is what the service says; --out FILE and `tallyroot verify FILE` check it.")
	return nil
}

// historyPatience is how long a command waits for the history index to have what the
// log has: that takes about a second.
const historyPatience = 5 * time.Second

// eachPage reads a history page by page, each as the service wrote it. Positions
// are only ever added at the end, so pages fit together while the log grows. What was
// logged before is in it, unless the index is far behind; then f gets what there is.
func eachPage(ctx context.Context, cl *client.Client, asked historyindex.Key, f func(text []byte, page *history.History) error) error {
	size, err := logSize(ctx, cl)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(historyPatience)
	for offset := 0; ; {
		q := url.Values{"id": {asked.Identifier}, "kind": {asked.Kind.String()}, "offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(history.PageLimit)}}
		resp, err := cl.Do(ctx, client.Request{Method: http.MethodGet, Path: "/v1/history", Query: q})
		if err != nil {
			return err
		}
		page, err := history.Decode(resp.Body)
		if err != nil {
			return fmt.Errorf("the service's answer is no history: %w", err)
		}
		if offset == 0 && sizeOf(page) < size && time.Now().Before(deadline) {
			if err := pause(ctx, indexPause); err != nil {
				return err
			}
			continue
		}
		if err := f(resp.Body, page); err != nil {
			return err
		}
		offset += len(page.Entries)
		if offset >= len(page.Positions) || len(page.Entries) == 0 {
			return nil
		}
	}
}

// indexPause is the time from one question to the next while the index is behind.
const indexPause = 50 * time.Millisecond

// waitIndexed waits until histories have all that the log has now.
func waitIndexed(ctx context.Context, cl *client.Client) error {
	size, err := logSize(ctx, cl)
	if err != nil {
		return err
	}
	for {
		resp, err := cl.Do(ctx, client.Request{Method: http.MethodGet, Path: "/v1/history", Query: url.Values{"kind": {"operator"}}})
		if err != nil {
			return err
		}
		h, err := history.Decode(resp.Body)
		if err != nil {
			return fmt.Errorf("the service's answer is no history: %w", err)
		}
		if sizeOf(h) >= size {
			return nil
		}
		if err := pause(ctx, indexPause); err != nil {
			return err
		}
	}
}

// logSize is how many entries the service's published checkpoint covers.
func logSize(ctx context.Context, cl *client.Client) (uint64, error) {
	signed, err := cl.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	c, _, err := checkpoint.Parse(signed)
	return c.Size, err
}

// sizeOf is how many of the log's entries a history was made from; 0 if it does not
// say so.
func sizeOf(h *history.History) uint64 {
	c, _, _ := checkpoint.Parse([]byte(h.LogCheckpoint))
	return c.Size
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// splitJSON cuts a file of one or more JSON texts, one after the other, into
// them.
func splitJSON(text []byte) ([][]byte, error) {
	var out [][]byte
	d := json.NewDecoder(bytes.NewReader(text))
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}
