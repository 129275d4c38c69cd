package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/urfave/cli/v2"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check receipts, histories, journeys and saved proofs yourself",
		ArgsUsage: "FILE|URL…",
		Description: "A FILE is a saved proof, a journey or a history, a receipt (with --entry, the entry that it\n" +
			"is for), what `tallyroot event show --json` printed, or - for standard input. Nothing is\n" +
			"asked of anybody: the answer rests on the file and on whom you trust. A URL is a product's\n" +
			"link, or one under /v1/: what it answers is checked, and must be about what the URL names.\n\n" +
			"--policy says whom to trust: a C2SP tlog-policy with the log's key and the witnesses that\n" +
			"must have seen it; --index-policy says the same of the index log, and --index-verifier which\n" +
			"of its witnesses rebuild the index. Only where one of those must have cosigned is a history\n" +
			"called complete without more ado. --log-key alone trusts the log's own key and no witness\n" +
			"(quorum none). Get all of it from somewhere else than the service that is checked.\n\n" +
			"--state remembers the newest checkpoints of both logs, and holds all others against them:\n" +
			"nobody can show you another log later. The proofs for that are read from the service of the\n" +
			"URL, or from --server.\n\n" +
			"The exit code is 0 when all is as it should be, 1 when anything is wrong or missing, and 2\n" +
			"when it could not be checked.\n\n" +
			"Examples:\n" +
			"  tallyroot verify 12.tlog-proof --entry 12.entry --log-key log.vkey\n" +
			"  tallyroot verify https://shop.example/01/09506000134352/10/LOT-7 --save jam.proof.json \\\n" +
			"    --policy log.policy --index-policy index.policy --index-verifier carol --state seen.json\n" +
			"  tallyroot verify jam.proof.json --policy log.policy --index-policy index.policy \\\n" +
			"    --index-verifier carol --id https://id.gs1.org/01/09506000134352/10/LOT-7",
		Flags: append(trustFlags(),
			&cli.StringFlag{Name: "entry", Usage: "the entry's bytes in `FILE`, for a receipt", TakesFile: true},
			&cli.StringFlag{Name: "id", Usage: "it must be about this `ID`"},
			kindFlag(),
			&cli.DurationFlag{Name: "max-age", Usage: "refuse what was witnessed longer ago than `DURATION`; 0 is any time", DefaultText: "24h for a history or journey, any time for a receipt or saved proof"},
			&cli.StringFlag{Name: "state", Usage: "remember in `FILE` the checkpoints that were seen, and compare with them", TakesFile: true},
			&cli.StringFlag{Name: "server", Usage: "for --state, read both logs from the service at `URL`, or from a folder that holds log/ and index/", DefaultText: "the service of a URL"},
			&cli.StringFlag{Name: "save", Usage: "save the journey that a URL answers as a proof in `FILE`", TakesFile: true},
			jsonFlag(),
		),
		Action: verifyAll,
	}
}

func verifyAll(c *cli.Context) error {
	names, err := manyArguments(c, "FILE|URL")
	if err != nil {
		return err
	}
	v, err := newVerification(c, len(names))
	if err != nil {
		return err
	}
	var findings []finding
	report := func(f finding) error {
		findings = append(findings, f)
		return f.print(c.Bool("json"))
	}
	for _, name := range names {
		f := finding{File: name}
		err := v.one(c.Context, name, &f)
		var usage usageError
		if errors.As(err, &usage) {
			return err
		}
		f.end(err)
		if err := report(f); err != nil {
			return err
		}
	}
	for _, f := range v.cross() {
		if err := report(f); err != nil {
			return err
		}
	}
	return outcomeOf(findings)
}

// outcomeOf gives the error that the command ends with: what is wrong weighs more
// than what could not be checked.
func outcomeOf(findings []finding) (err error) {
	for _, f := range findings {
		switch {
		case f.OK:
		case !f.Unchecked:
			return silentError{}
		default:
			err = uncheckedError{silentError{}}
		}
	}
	return err
}

// A verification checks what it is given under one trust.
type verification struct {
	trust verify.Trust
	entry []byte // nil: --entry was not given
	asked historyindex.Key
	save  string
	seen  *memory

	receipts  []proved[*verify.ReceiptVerdict]
	histories []proved[*verify.HistoryVerdict]
}

// proved is a good verdict, and where it came from.
type proved[V any] struct {
	file    string
	verdict V
}

func newVerification(c *cli.Context, n int) (v *verification, err error) {
	v = &verification{save: c.String("save")}
	if v.trust, err = readTrust(c); err != nil {
		return nil, err
	}
	v.trust.Now, v.trust.MaxAge = time.Now(), c.Duration("max-age")
	if v.trust.MaxAge < 0 {
		return nil, usagef("--max-age %s: an age is not negative", v.trust.MaxAge)
	}
	if c.IsSet("max-age") && v.trust.MaxAge == 0 {
		v.trust.MaxAge = verify.AnyAge
	}
	for _, name := range []string{"entry", "save"} {
		if c.IsSet(name) && n > 1 {
			return nil, usagef("--%s is for one file or URL, and there are %d", name, n)
		}
	}
	if file := c.String("entry"); file != "" {
		if v.entry, err = readSmallFile(file, maxSaved); err != nil {
			return nil, uncheckedError{err}
		}
	}
	if v.asked, err = askedFor(c, c.String("id")); err != nil {
		return nil, err
	}
	v.seen, err = openMemory(c.String("state"), c.String("server"))
	return v, err
}

// one checks one file, or what one URL answers.
func (v *verification) one(ctx context.Context, name string, f *finding) error {
	s, err := readSubject(ctx, name)
	if err != nil {
		return uncheckedError{err}
	}
	if v.asked.Identifier != "" {
		s.asked = v.asked
	}
	if v.save != "" {
		if err := s.save(v.save); err != nil {
			return uncheckedError{fmt.Errorf("--save: %w", err)}
		}
	}
	signed, err := v.check(s, f)
	if err != nil {
		return err
	}
	return v.seen.compare(ctx, signed, s.server, f)
}

// check checks a subject, and gives the signed checkpoints that it is proved at.
func (v *verification) check(s *subject, f *finding) (signed []string, err error) {
	if v.entry != nil {
		return v.receipt(s, v.entry, s.text, f)
	}
	form, err := s.form()
	if err != nil {
		return nil, err
	}
	if s.want != "" && form.kind != s.want {
		return nil, fmt.Errorf("%w: it is of the form %s, and the answer to the question is of the form %s", verify.ErrAsked, form.kind, s.want)
	}
	switch form.kind {
	case formReceipt:
		return nil, usagef("%s is a receipt: give the entry that it is for with --entry FILE (`tallyroot event show ID --entry FILE` writes it)", inputName(s.name))
	case formEntry:
		return v.receipt(s, form.entry, form.receipt, f)
	case formHistory:
		return v.history(s, form.pages, f)
	}
	return v.journey(s, form.kind, f)
}

func (v *verification) receipt(s *subject, entry, text []byte, f *finding) ([]string, error) {
	r, err := verify.Receipt(entry, text, v.trust)
	if err != nil {
		return nil, err
	}
	id := idOf(r.Entry.JSON)
	if s.event != "" && s.event != id {
		return nil, fmt.Errorf("%w: it is the event %s, and the question was %s", verify.ErrAsked, id, s.event)
	}
	f.Type, f.text = formReceipt, r.String()
	f.verdict(r.Verdict)
	f.Entries = []entryFinding{{Index: r.Index, LeafHash: r.LeafHash[:], Participants: r.Entry.Participants, EventID: id}}
	v.receipts = append(v.receipts, proved[*verify.ReceiptVerdict]{s.name, r})
	return []string{r.Signed}, nil
}

// history checks a history, or the pages of one that follow one another.
func (v *verification) history(s *subject, texts [][]byte, f *finding) (signed []string, err error) {
	pages := make([]*verify.HistoryVerdict, len(texts))
	for i, text := range texts {
		if pages[i], err = verify.History(text, s.asked, v.trust); err != nil {
			return nil, inPage(err, i, len(texts))
		}
		signed = append(signed, signedOf(&pages[i].Anchor)...)
		v.histories = append(v.histories, proved[*verify.HistoryVerdict]{s.name, pages[i]})
	}
	h, err := verify.Join(pages)
	switch {
	case errors.Is(err, verify.ErrApart):
		// The log grew meanwhile. Each page stands for itself.
		for _, page := range pages {
			f.history(page)
		}
		f.Notes = append(f.Notes, fmt.Sprintf("The %d pages were answered at different sizes of the log: what was said of one is not known to hold for all.", len(pages)))
	case err != nil:
		return nil, err
	default:
		f.history(h)
	}
	return signed, nil
}

func inPage(err error, i, of int) error {
	if of == 1 {
		return err
	}
	return fmt.Errorf("page %d of %d: %w", i+1, of, err)
}

// journey checks a journey, or the proof that holds one, which may be old.
func (v *verification) journey(s *subject, kind string, f *finding) ([]string, error) {
	if s.asked.Identifier != "" && s.asked.Kind != historyindex.Object {
		return nil, usagef("%s is a journey, which is not of one kind: leave --kind out", inputName(s.name))
	}
	check, trust := verify.Journey, v.trust
	if kind == formProof {
		check = verify.Proof
		if trust.MaxAge == 0 {
			trust.MaxAge = verify.AnyAge
		}
	}
	j, err := check(s.text, s.asked.Identifier, trust)
	if err != nil {
		return nil, err
	}
	f.Type, f.ID, f.Asked, f.Total, f.Claim = kind, j.ID, &j.Asked, len(j.Journey.Steps), j.Claim()
	f.Histories, f.NotFollowed = len(j.Journey.Keys), j.NotFollowed
	f.anchor(&j.Anchor)
	for _, step := range j.Journey.Steps {
		e := findingOf(j.Entry(step))
		e.Role = step.Role.String()
		if !*e.Authenticated {
			f.Unauthenticated++
		}
		f.Entries = append(f.Entries, e)
	}
	for _, key := range j.Missing {
		f.Missing = append(f.Missing, keyFinding{key.Kind.String(), key.Identifier})
	}
	f.text = j.String()
	for i := range j.Histories {
		v.histories = append(v.histories, proved[*verify.HistoryVerdict]{s.name, &j.Histories[i]})
	}
	if len(j.Missing) > 0 {
		return nil, errIncomplete
	}
	return signedOf(&j.Anchor), nil
}

// cross holds every receipt against every history: what stands in the log must stand
// in the histories to which it belongs.
func (v *verification) cross() (findings []finding) {
	for _, r := range v.receipts {
		for _, h := range v.histories {
			if _, err := verify.Cross(r.verdict, h.verdict); err != nil {
				f := finding{File: h.file, With: r.file}
				f.end(err)
				findings = append(findings, f)
			}
		}
	}
	return findings
}

// signedOf gives the signed checkpoints of both logs.
func signedOf(a *verify.Anchor) []string {
	return []string{a.Signed, a.SignedIndex}
}

// canonicalOr gives the canonical form of an identifier, or what stands for it.
func canonicalOr(id, otherwise string) string {
	if canonical, err := gs1.Canonical(id); err == nil {
		return canonical
	}
	return otherwise
}

// print writes the finding for people or programs.
func (f *finding) print(asJSON bool) error {
	if asJSON {
		return printJSONLine(os.Stdout, f)
	}
	out := os.Stdout
	if !f.OK {
		out = os.Stderr
	}
	_, err := fmt.Fprint(out, printable(f.String()))
	return err
}
