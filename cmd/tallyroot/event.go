package main

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/urfave/cli/v2"
)

func eventCommand() *cli.Command {
	return &cli.Command{
		Name:  "event",
		Usage: "log, read, withdraw and hash custody events",
		Description: "Example:\n" +
			"  tallyroot event log harvest.json --token-file hillside.token",
		Subcommands: []*cli.Command{
			eventLogCommand(),
			{
				Name:      "show",
				Usage:     "show one event, its place in the log and its receipt",
				ArgsUsage: "ID",
				Description: "ID is the event's eventID, or with --index its position in the log. --entry and\n" +
					"--receipt keep what `tallyroot verify` checks.\n\n" +
					"Examples:\n" +
					"  tallyroot event show 'ni:///sha-256;87b5…?ver=CBV2.0'\n" +
					"  tallyroot event show --index 12 --entry 12.entry --receipt 12.tlog-proof\n" +
					"  tallyroot verify 12.tlog-proof --entry 12.entry --log-key log.vkey",
				Flags: readFlags(
					&cli.StringFlag{Name: "index", Usage: "the entry at this `POSITION` of the log, instead of an id"},
					participantFlag("the one that this participant logged, by its `ID`"),
					&cli.StringFlag{Name: "entry", Usage: "write the entry's bytes into `FILE`", TakesFile: true},
					&cli.StringFlag{Name: "receipt", Usage: "write the receipt into `FILE`", TakesFile: true},
				),
				Action: eventShow,
			},
			{
				Name:  "list",
				Usage: "list the newest events",
				Description: "Examples:\n" +
					"  tallyroot event list --participant hillside\n" +
					"  tallyroot event list --limit 1000 --json",
				Flags: readFlags(
					participantFlag("only what this participant logged, by its `ID`"),
					&cli.IntFlag{Name: "limit", Usage: "how many at most, up to 1000", Value: 20},
				),
				Action: eventList,
			},
			{
				Name:      "withdraw",
				Usage:     "say that an event was wrong",
				ArgsUsage: "ID",
				Description: "Nothing is ever taken out of the log: an EPCIS error declaration says that the event\n" +
					"was wrong, and readers show it as withdrawn. Only who logged an event can withdraw it.\n\n" +
					"--reason is did_not_occur, incorrect_data, or a URI of one's own; --corrective names the\n" +
					"eventID of an event that is right.\n\n" +
					"Example:\n" +
					"  tallyroot event withdraw 'ni:///sha-256;87b5…?ver=CBV2.0' --reason incorrect_data --token-file hillside.token",
				Flags: readFlags(
					&cli.StringFlag{Name: "reason", Usage: "`WHY`: did_not_occur, incorrect_data, or a URI"},
					&cli.StringSliceFlag{Name: "corrective", Usage: "the `ID` of an event that is right; may be repeated"},
					participantFlag("the one that this participant logged, by its `ID`"),
					&cli.StringFlag{Name: "key", Usage: "sign with the private key in `FILE`", TakesFile: true},
					&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`, to sign for; by default the service's checkpoint says it"},
				),
				Action: eventWithdraw,
			},
			eventHashCommand(),
		},
	}
}

func participantFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "participant", Usage: usage}
}

// eventQuery is the query of GET /v1/event for what the command line names.
func eventQuery(c *cli.Context) (url.Values, error) {
	q := url.Values{}
	if index := c.String("index"); index != "" {
		if _, err := strconv.ParseUint(index, 10, 64); err != nil {
			return nil, usagef("--index %q is not a position: they count from 0", index)
		}
		if c.Args().Len() > 0 || c.IsSet("participant") {
			return nil, usagef("%s: --index names one entry; leave out the id and --participant", c.Command.HelpName)
		}
		q.Set("index", index)
		return q, nil
	}
	args, err := arguments(c, "ID")
	if err != nil {
		return nil, err
	}
	q.Set("id", args[0])
	if p := c.String("participant"); p != "" {
		q.Set("participant", p)
	}
	return q, nil
}

// An eventView is an entry as the commands print it in JSON: as the service
// answers, and the event itself beside it.
type eventView struct {
	Index        client.Uint64  `json:"index"`
	Participants []string       `json:"participants"`
	Event        rawJSON        `json:"event"`
	LeafHash     []byte         `json:"leafHash"`
	Entry        []byte         `json:"entry"`
	Receipt      string         `json:"receipt,omitempty"`
	Others       []client.Place `json:"others,omitempty"`
}

// rawJSON prints a value in canonical form.
type rawJSON struct{ jcs.Value }

func (r rawJSON) MarshalJSON() ([]byte, error) { return r.AppendCanonical(nil), nil }

func viewOf(e client.Event) (eventView, error) {
	parsed, err := entry.Parse(e.Entry)
	if err != nil {
		return eventView{}, fmt.Errorf("the service answered an entry that is none: %w", err)
	}
	hash := entry.LeafHash(e.Entry)
	return eventView{e.Index, parsed.Participants, rawJSON{parsed.JSON}, hash[:], e.Entry, e.Receipt, e.Others}, nil
}

func eventShow(c *cli.Context) error {
	query, err := eventQuery(c)
	if err != nil {
		return err
	}
	cl, err := connect(c, false)
	if err != nil {
		return err
	}
	e, err := cl.Event(c.Context, query)
	if err != nil {
		return err
	}
	view, err := viewOf(*e)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		file string
		data []byte
	}{{c.String("entry"), e.Entry}, {c.String("receipt"), []byte(e.Receipt)}} {
		if f.file != "" {
			if err := writeFile(f.file, f.data); err != nil {
				return err
			}
		}
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, view)
	}
	fmt.Printf("index      %d\nleaf hash  %x\nsigned by  ", uint64(view.Index), view.LeafHash)
	for i, p := range view.Participants {
		if i > 0 {
			fmt.Print(", ")
		}
		fmt.Print(p)
	}
	fmt.Println()
	for _, o := range view.Others {
		fmt.Printf("see also   index %d, by %s\n", uint64(o.Index), o.Participant)
	}
	fmt.Println()
	return printJSON(os.Stdout, view.Event)
}

func eventList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	limit := c.Int("limit")
	if limit < 1 || limit > 1000 {
		return usagef("--limit %d: it is from 1 to 1000", limit)
	}
	cl, err := connect(c, false)
	if err != nil {
		return err
	}
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if p := c.String("participant"); p != "" {
		q.Set("participant", p)
	}
	var out struct {
		Events []client.Event `json:"events"`
	}
	if err := cl.JSON(c.Context, client.Request{Method: http.MethodGet, Path: "/v1/events", Query: q}, nil, &out); err != nil {
		return err
	}
	views := make([]eventView, len(out.Events))
	for i, e := range out.Events {
		if views[i], err = viewOf(e); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			Events []eventView `json:"events"`
		}{views})
	}
	if len(views) == 0 {
		fmt.Fprintln(os.Stderr, "There is no such event yet.")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INDEX\tBY\tTYPE\tWHAT\tTIME\tID")
	for _, v := range views {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", uint64(v.Index), v.Participants[0],
			member(v.Event.Value, "type"), member(v.Event.Value, "bizStep"), member(v.Event.Value, "eventTime"), member(v.Event.Value, "eventID"))
	}
	return w.Flush()
}

// member is the text of a member, "-" if there is none.
func member(v jcs.Value, name string) string {
	m, ok := v.Get(name)
	if !ok || m.Text() == "" {
		return "-"
	}
	return m.Text()
}

func eventWithdraw(c *cli.Context) error {
	args, err := arguments(c, "ID")
	if err != nil {
		return err
	}
	reason, err := errorReason(c.String("reason"))
	if err != nil {
		return err
	}
	cl, err := connect(c, true)
	if err != nil {
		return err
	}
	s := &sender{client: cl}
	// Nobody else could withdraw it.
	participant := cmp.Or(c.String("participant"), cl.Participant())
	if file := c.String("key"); file != "" {
		if s.signer, err = newSigner(c.Context, cl, file, c.String("origin")); err != nil {
			return err
		}
		participant = s.signer.participant
	}
	original, err := withdrawable(c, cl, args[0], participant)
	if err != nil {
		return err
	}
	members := []jcs.Member{
		{Name: "declarationTime", Value: jcs.NewString(time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))},
		{Name: "reason", Value: jcs.NewString(reason)},
	}
	if ids := c.StringSlice("corrective"); len(ids) > 0 {
		values := make([]jcs.Value, len(ids))
		for i, id := range ids {
			values[i] = jcs.NewString(id)
		}
		members = append(members, jcs.Member{Name: "correctiveEventIDs", Value: jcs.NewArray(values...)})
	}
	declaration := original.Without("recordTime").With("errorDeclaration", jcs.NewObject(members...))
	results, err := s.sendOne(c.Context, declaration)
	if err != nil {
		return err
	}
	if refused := results.Refusal(); refused != nil {
		return refused
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, results)
	}
	where := "soon"
	if results.Index != nil {
		where = fmt.Sprintf("at index %d", uint64(*results.Index))
	}
	fmt.Printf("%s is withdrawn (%s); the event itself stays in the log, marked\n", args[0], where)
	return nil
}

// withdrawable reads the event that is to be withdrawn.
func withdrawable(c *cli.Context, cl *client.Client, id, participant string) (jcs.Value, error) {
	q := url.Values{"id": {id}}
	if participant != "" {
		q.Set("participant", participant)
	}
	e, err := cl.Event(c.Context, q)
	if err != nil {
		return jcs.Value{}, err
	}
	parsed, err := entry.Parse(e.Entry)
	if err != nil {
		return jcs.Value{}, fmt.Errorf("the service answered an entry that is none: %w", err)
	}
	if !epcis.IsEvent(parsed.JSON) {
		return jcs.Value{}, fmt.Errorf("%s is no event but a %s, which a newer statement replaces", id, member(parsed.JSON, "type"))
	}
	if _, declared := epcis.ErrorDeclared(parsed.JSON); declared {
		return jcs.Value{}, fmt.Errorf("%s is withdrawn already, at index %d", id, uint64(e.Index))
	}
	return parsed.JSON, nil
}

// errorReason is the reason as EPCIS writes it (CBV 2.0, error reasons).
func errorReason(text string) (string, error) {
	switch text {
	case "did_not_occur", "did-not-occur":
		return "did_not_occur", nil
	case "incorrect_data", "incorrect-data":
		return "incorrect_data", nil
	}
	if u, err := url.Parse(text); err == nil && u.Scheme != "" {
		return text, nil
	}
	return "", usagef("--reason %q: it is did_not_occur (it never happened), incorrect_data (it happened otherwise), or a URI of one's own such as https://example.org/reasons/scanned-twice", text)
}

// idOf is an event's eventID, "" of a statement.
func idOf(v jcs.Value) string {
	id, _ := v.Get("eventID")
	return id.Text()
}
