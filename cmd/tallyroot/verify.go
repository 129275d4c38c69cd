package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/urfave/cli/v2"
)

// maxSaved bounds a file that is verified.
const maxSaved = 256 << 20

// receiptMagic begins a receipt (https://c2sp.org/tlog-proof).
const receiptMagic = "c2sp.org/tlog-proof@v1\n"

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check receipts and saved histories, without any service",
		ArgsUsage: "FILE…",
		Description: "A file is a receipt (with --entry, the entry that it is for), a saved history, or what\n" +
			"`tallyroot event show --json` printed. Nothing is asked of anybody: the answer rests on\n" +
			"the files and on whom you trust.\n\n" +
			"--policy says whom: a C2SP tlog-policy with the log's key and the witnesses that must have\n" +
			"seen it. --log-key alone trusts the log's own key and no witness (quorum none). Get either\n" +
			"from somewhere else than the service that is checked.\n\n" +
			"The exit code is 1 when anything is off.\n\n" +
			"Examples:\n" +
			"  tallyroot verify 12.tlog-proof --entry 12.entry --log-key log.vkey\n" +
			"  tallyroot verify apples.history.json --policy policy.txt --operator-key operator.vkey \\\n" +
			"    --id https://id.gs1.org/01/09506000134352/10/LOT-7",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "policy", Usage: "trust by the policy in `FILE`", TakesFile: true},
			&cli.StringFlag{Name: "log-key", Usage: "trust the log's verifier key in `FILE`; alone, no witness is asked for", TakesFile: true},
			&cli.StringFlag{Name: "operator-key", Usage: "of histories, trust the operator's verifier key in `FILE`; otherwise the log's first entry says it", TakesFile: true},
			&cli.StringFlag{Name: "entry", Usage: "the entry's bytes in `FILE`, for a receipt", TakesFile: true},
			&cli.StringFlag{Name: "id", Usage: "the history must be that of this `ID`"},
			kindFlag(),
			&cli.DurationFlag{Name: "max-age", Usage: "refuse what was witnessed longer ago than `DURATION`; 0 is any time", DefaultText: "24h for a history, any time for a receipt"},
			jsonFlag(),
		},
		Action: verifyFiles,
	}
}

// A finding is what was found out about one file, as --json prints it.
type finding struct {
	File string `json:"file"`
	OK   bool   `json:"ok"`
	// Error is why not.
	Error  string `json:"error,omitempty"`
	Type   string `json:"type,omitempty"` // "receipt" or "history"
	Origin string `json:"origin,omitempty"`
	Size   uint64 `json:"size,string,omitempty"` // of the checkpoint
	// Quorum is "none" or "met".
	Quorum    string     `json:"quorum,omitempty"`
	Witnesses []string   `json:"witnesses,omitempty"`
	Time      *time.Time `json:"time,omitempty"` // witnessed

	ID              string         `json:"id,omitempty"` // of a history
	Kind            string         `json:"kind,omitempty"`
	Asked           *bool          `json:"asked,omitempty"` // --id said what was wanted, and this is it
	Total           int            `json:"total,omitempty"`
	Unauthenticated int            `json:"unauthenticated,omitempty"`
	Entries         []entryFinding `json:"entries,omitempty"`

	text string // for people
}

// An entryFinding is what was found out about one entry.
type entryFinding struct {
	Index        uint64   `json:"index,string"`
	LeafHash     []byte   `json:"leafHash"`
	Participants []string `json:"participants"`
	EventID      string   `json:"eventId,omitempty"`
	// Of a history: whether the signatures hold, and why not.
	Authenticated *bool   `json:"authenticated,omitempty"`
	Problem       string  `json:"problem,omitempty"`
	DuplicateOf   *uint64 `json:"duplicateOf,string,omitempty"`
	WithdrawnBy   *uint64 `json:"withdrawnBy,string,omitempty"`
}

func verifyFiles(c *cli.Context) error {
	files, err := manyArguments(c, "FILE")
	if err != nil {
		return err
	}
	v, err := newVerification(c)
	if err != nil {
		return err
	}
	if c.IsSet("entry") && len(files) > 1 {
		return usagef("--entry is for one receipt, and there are %d files", len(files))
	}
	failed := false
	for _, file := range files {
		found, err := v.file(file)
		var usage usageError
		if errors.As(err, &usage) {
			return err
		}
		if err != nil {
			found = finding{Error: err.Error()}
		}
		found.File, found.OK = file, err == nil
		failed = failed || err != nil
		switch {
		case c.Bool("json"):
			if err := printJSONLine(os.Stdout, found); err != nil {
				return err
			}
		case err != nil:
			fmt.Fprintf(os.Stderr, "%s: NOT VERIFIED: %v\n", inputName(file), err)
		default:
			fmt.Printf("%s: verified\n  %s\n", inputName(file), strings.ReplaceAll(found.text, "\n", "\n  "))
		}
	}
	if failed {
		return silentError{}
	}
	return nil
}

// A verification checks files under one trust.
type verification struct {
	trust verify.Trust
	entry []byte // nil: --entry was not given
	asked historyindex.Key
}

func newVerification(c *cli.Context) (*verification, error) {
	v := &verification{trust: verify.Trust{Now: time.Now(), MaxAge: c.Duration("max-age")}}
	if c.IsSet("max-age") && v.trust.MaxAge == 0 {
		v.trust.MaxAge = verify.AnyAge
	}
	var err error
	if v.trust.Policy, err = readPolicy(c.String("policy"), c.String("log-key")); err != nil {
		return nil, err
	}
	if file := c.String("operator-key"); file != "" {
		if v.trust.OperatorKey, err = readOneLine(file); err != nil {
			return nil, err
		}
	}
	if file := c.String("entry"); file != "" {
		if v.entry, err = readSmallFile(file, maxSaved); err != nil {
			return nil, err
		}
	}
	v.asked, err = askedFor(c, c.String("id"))
	return v, err
}

// readPolicy makes the policy that --policy and --log-key say.
func readPolicy(policyFile, keyFile string) (*policy.Policy, error) {
	if policyFile == "" && keyFile == "" {
		return nil, usagef("tallyroot verify needs to know whom you trust: --policy FILE, or --log-key FILE with the log's verifier key " +
			"(the service's data directory has it as log.vkey)")
	}
	var key string
	var err error
	if keyFile != "" {
		if key, err = readOneLine(keyFile); err != nil {
			return nil, err
		}
	}
	if policyFile == "" {
		p, err := policy.None(key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyFile, err)
		}
		return p, nil
	}
	text, err := readSmallFile(policyFile, policy.MaxSize)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", policyFile, err)
	}
	if key != "" && !p.HasLog(key) {
		return nil, fmt.Errorf("%s does not name the log's key in %s", policyFile, keyFile)
	}
	return p, nil
}

// readOneLine reads a file that holds one line.
func readOneLine(file string) (string, error) {
	text, err := readSmallFile(file, 1<<12)
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(text))
	if line == "" || strings.Contains(line, "\n") {
		return "", fmt.Errorf("%s holds no verifier key: one line is wanted, such as log.example.org+8b4f8a1c+AY…", file)
	}
	return line, nil
}

func (v *verification) file(name string) (finding, error) {
	text, err := readSmallFile(name, maxSaved)
	if err != nil {
		return finding{}, err
	}
	if v.entry != nil {
		return v.receipt(v.entry, text)
	}
	if bytes.HasPrefix(text, []byte(receiptMagic)) {
		return finding{}, usagef("%s is a receipt: give the entry that it is for with --entry FILE (`tallyroot event show ID --entry FILE` writes it)", inputName(name))
	}
	var shape struct {
		Entry         *[]byte          `json:"entry"`
		Receipt       *string          `json:"receipt"`
		LogCheckpoint *json.RawMessage `json:"logCheckpoint"`
	}
	parts, err := splitJSON(text)
	if err != nil || len(parts) == 0 || json.Unmarshal(parts[0], &shape) != nil {
		return finding{}, errors.New("it is neither a receipt nor a saved history: a receipt begins with " + strings.TrimSpace(receiptMagic) + ", a history is the JSON that `tallyroot history ID --json` prints")
	}
	switch {
	case shape.LogCheckpoint != nil:
		return v.history(parts)
	case len(parts) == 1 && shape.Entry != nil && shape.Receipt != nil:
		return v.receipt(*shape.Entry, []byte(*shape.Receipt))
	}
	return finding{}, errors.New("it is JSON, but neither a saved history (`tallyroot history ID --json`) nor an entry with its receipt (`tallyroot event show ID --json`)")
}

func (v *verification) receipt(entry, text []byte) (finding, error) {
	r, err := verify.Receipt(entry, text, v.trust)
	if err != nil {
		return finding{}, err
	}
	f := finding{Type: "receipt", text: r.String()}
	f.verdict(r.Verdict)
	f.Entries = []entryFinding{{Index: r.Index, LeafHash: r.LeafHash[:], Participants: r.Entry.Participants, EventID: idOf(r.Entry.JSON)}}
	return f, nil
}

// history checks the pages of a history, each of which stands for itself, and
// that they follow one another.
func (v *verification) history(pages [][]byte) (finding, error) {
	var f finding
	var texts []string
	for i, page := range pages {
		h, err := verify.History(page, v.asked, v.trust)
		if err != nil {
			return finding{}, inPage(err, i, len(pages))
		}
		if i > 0 && (h.Key.Identifier != f.ID || h.Key.Kind.String() != f.Kind || h.First != len(f.Entries)) {
			return finding{}, inPage(errors.New("it does not follow the one before it"), i, len(pages))
		}
		f.Type, f.ID, f.Kind, f.Asked, f.Total = "history", h.Key.Identifier, h.Key.Kind.String(), &h.Asked, h.Total
		f.Unauthenticated += h.Unauthenticated()
		f.verdict(h.Verdict)
		for i := range h.Entries {
			f.Entries = append(f.Entries, findingOf(&h.Entries[i]))
		}
		texts = append(texts, h.String())
	}
	f.text = strings.Join(texts, "\n")
	return f, nil
}

func inPage(err error, i, of int) error {
	if of == 1 {
		return err
	}
	return fmt.Errorf("page %d of %d: %w", i+1, of, err)
}

func (f *finding) verdict(v policy.Verdict) {
	f.Origin, f.Size, f.Quorum, f.Witnesses = v.Checkpoint.Origin, v.Checkpoint.Size, "none", v.Witnesses
	if v.Witnessed {
		f.Quorum, f.Time = "met", &v.Time
	}
}

func findingOf(j *verify.Judged) entryFinding {
	authenticated := j.Signature == nil
	e := entryFinding{
		Index: j.Index, LeafHash: j.LeafHash[:], Participants: j.Entry.Participants, EventID: idOf(j.Entry.JSON),
		Authenticated: &authenticated, DuplicateOf: j.DuplicateOf, WithdrawnBy: j.WithdrawnBy,
	}
	switch {
	case j.Signature != nil:
		e.Problem = j.Signature.Error()
	case j.Effect != nil && j.Effect.Err != nil:
		e.Problem = j.Effect.Err.Error()
	}
	return e
}
