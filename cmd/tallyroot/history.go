package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/urfave/cli/v2"
)

// historyPage is how many entries one request asks for: the service's most.
const historyPage = 1000

// kinds are what a history can be of, by name.
var kinds = []string{"object", "input", "by", "participant", "master", "transformation", "operator", "place"}

func historyCommand() *cli.Command {
	return &cli.Command{
		Name:      "history",
		Usage:     "read all that the log holds about one identifier, with its proofs",
		ArgsUsage: "ID",
		Description: "ID is a GS1 Digital Link, an EPC URN or another URI; for the kinds by and participant it\n" +
			"is a participant's id. --json prints the history with its proofs, and --out keeps that in\n" +
			"a file: `tallyroot verify FILE` checks it without the service.\n\n" +
			"Examples:\n" +
			"  tallyroot history https://id.gs1.org/01/09506000134352/10/LOT-7\n" +
			"  tallyroot history urn:epc:id:sgtin:9506000.013435.7 --out apples.history.json\n" +
			"  tallyroot verify apples.history.json --log-key log.vkey\n" +
			"  tallyroot history hillside --kind by",
		Flags: readFlags(
			&cli.StringFlag{Name: "kind", Usage: "`KIND` of history: " + strings.Join(kinds, ", "), Value: "object"},
			&cli.StringFlag{Name: "out", Usage: "write the history with its proofs into `FILE`", TakesFile: true},
		),
		Action: history,
	}
}

// A historyView is as much of a history's JSON as is needed to show it and to
// put pages together.
type historyView struct {
	ID            string          `json:"id"`
	Kind          string          `json:"kind"`
	LogCheckpoint string          `json:"logCheckpoint"`
	Positions     []client.Uint64 `json:"positions"`
	Entries       []historyEntry  `json:"entries"`
}

type historyEntry struct {
	Index client.Uint64 `json:"index"`
	Entry []byte        `json:"entry"`
}

func history(c *cli.Context) error {
	args, err := arguments(c, "ID")
	if err != nil {
		return err
	}
	kind := c.String("kind")
	if !slices.Contains(kinds, kind) {
		return usagef("--kind %q: it is one of %s", kind, strings.Join(kinds, ", "))
	}
	cl, err := connect(c, false)
	if err != nil {
		return err
	}
	text, view, err := readHistory(c.Context, cl, args[0], kind)
	if err != nil {
		return err
	}
	if out := c.String("out"); out != "" {
		if err := writeFile(out, text); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		_, err := os.Stdout.Write(text)
		return err
	}
	if len(view.Entries) == 0 {
		fmt.Printf("nothing is logged yet about %s (kind %s)\n", view.ID, view.Kind)
		return nil
	}
	fmt.Printf("%s (kind %s): %s\n", view.ID, view.Kind, countEntries(len(view.Entries)))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INDEX\tBY\tTYPE\tWHAT\tTIME\tID")
	for _, h := range view.Entries {
		e, err := entry.Parse(h.Entry)
		if err != nil {
			fmt.Fprintf(w, "%d\tnot an entry: %v\n", uint64(h.Index), err)
			continue
		}
		what := member(e.JSON, "bizStep")
		if what == "-" {
			what = member(e.JSON, "name")
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", uint64(h.Index), strings.Join(e.Participants, ", "),
			e.Type(), what, member(e.JSON, "eventTime"), member(e.JSON, "eventID"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "These are what the service says; --out FILE and `tallyroot verify FILE` check it.")
	return nil
}

func countEntries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// readHistory reads a history and puts its pages together: the JSON as the
// service writes it, with all entries at one checkpoint, and a view of it. When
// the log grows between two pages, their checkpoints differ, and it starts again.
func readHistory(ctx context.Context, cl *client.Client, id, kind string) ([]byte, historyView, error) {
	for attempt := 1; ; attempt++ {
		text, view, moved, err := readPages(ctx, cl, id, kind)
		if err != nil || !moved {
			return text, view, err
		}
		if attempt == client.Attempts {
			return nil, historyView{}, fmt.Errorf("the log grows faster than the history of %s can be read; try again when it is quieter", id)
		}
	}
}

func readPages(ctx context.Context, cl *client.Client, id, kind string) (text []byte, view historyView, moved bool, err error) {
	var whole map[string]json.RawMessage
	var entries []json.RawMessage
	for {
		q := url.Values{"id": {id}, "kind": {kind}, "limit": {strconv.Itoa(historyPage)}, "offset": {strconv.Itoa(len(entries))}}
		resp, err := cl.Do(ctx, client.Request{Method: http.MethodGet, Path: "/v1/history", Query: q})
		if err != nil {
			return nil, view, false, err
		}
		var page map[string]json.RawMessage
		var pageView historyView
		var pageEntries []json.RawMessage
		if err := decodeAll(resp.Body, &page, &pageView); err != nil {
			return nil, view, false, err
		}
		if raw, ok := page["entries"]; ok {
			if err := decodeAll(raw, &pageEntries); err != nil {
				return nil, view, false, err
			}
		}
		if whole == nil {
			whole, view = page, pageView
		} else if pageView.LogCheckpoint != view.LogCheckpoint {
			return nil, view, true, nil
		} else {
			view.Entries = append(view.Entries, pageView.Entries...)
		}
		entries = append(entries, pageEntries...)
		if len(entries) >= len(view.Positions) || len(pageEntries) == 0 {
			break
		}
	}
	if len(entries) < len(view.Positions) {
		return nil, view, false, fmt.Errorf("the service names %d positions and gives %d entries", len(view.Positions), len(entries))
	}
	if entries != nil {
		if whole["entries"], err = json.Marshal(entries); err != nil {
			return nil, view, false, err
		}
	}
	if text, err = json.MarshalIndent(whole, "", "  "); err != nil {
		return nil, view, false, err
	}
	return append(text, '\n'), view, false, nil
}

// decodeAll reads one JSON text into each of the values.
func decodeAll(text []byte, into ...any) error {
	for _, v := range into {
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("the service's answer is not the JSON of a history: %w", err)
		}
	}
	return nil
}

// eachEntry calls f for each entry of a history, in the log's order.
func eachEntry(ctx context.Context, cl *client.Client, id, kind string, f func(index uint64, e *entry.Entry) error) error {
	_, view, err := readHistory(ctx, cl, id, kind)
	if err != nil {
		return err
	}
	for _, h := range view.Entries {
		e, err := entry.Parse(h.Entry)
		if err != nil {
			return fmt.Errorf("entry %d: %w", uint64(h.Index), err)
		}
		if err := f(uint64(h.Index), e); err != nil {
			return err
		}
	}
	return nil
}
