package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/urfave/cli/v2"
)

func eventHashCommand() *cli.Command {
	return &cli.Command{
		Name:      "hash",
		Usage:     "give the CBV event hash of events",
		ArgsUsage: "FILE…|-",
		Description: "Reads EPCIS 2.0 in JSON: an event, an array of events, a document or query document,\n" +
			"whose @context goes into each event, or NDJSON of these; - is standard input. Prints one\n" +
			"hash a line, in the order of the events. It validates nothing, and asks no service.\n\n" +
			"The hash is the same for every form in which one event can be written, and may stand\n" +
			"as its eventID.\n\n" +
			"Examples:\n" +
			"  tallyroot event hash harvest.json\n" +
			"  tallyroot event hash --explain harvest.json   the string that is hashed, on standard error\n" +
			"  tallyroot event hash --json - < harvest.json",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "explain", Usage: "show the string that is hashed, one a line, on standard error"},
			&cli.StringFlag{Name: "cbv", Usage: "by the algorithm of CBV `VERSION` 2.0, or 2.1, which is a draft", Value: "2.0"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			files, err := manyArguments(c, "FILE")
			if err != nil {
				return err
			}
			h := hasher{explain: c.Bool("explain"), json: c.Bool("json")}
			switch c.String("cbv") {
			case "2.0":
			case "2.1":
				h.version = epcis.CBV21
			default:
				return usagef("--cbv %q: there is 2.0, and 2.1 as a draft", c.String("cbv"))
			}
			return h.files(files, c.App.Reader, c.App.Writer, c.App.ErrWriter)
		},
	}
}

// hasher prints the event hashes of files.
type hasher struct {
	version       epcis.Version
	explain, json bool
}

// hashed is one event's line with --json.
type hashed struct {
	File    string `json:"file"`
	Event   int    `json:"event"` // in its file, from 1
	Hash    string `json:"hash"`
	PreHash string `json:"preHash"`
}

func (h hasher) files(files []string, in io.Reader, out, explanations io.Writer) error {
	w := bufio.NewWriter(out)
	for _, file := range files {
		var r io.Reader = in
		if file != "-" {
			f, err := openInput(file)
			if err != nil {
				return errors.Join(w.Flush(), err)
			}
			defer f.Close()
			r = f
		}
		if err := h.file(file, r, w, explanations); err != nil {
			return errors.Join(w.Flush(), err)
		}
	}
	return w.Flush()
}

// file prints the hashes of one file. A JSON text is read as a whole before the
// first line is printed, so that one that is broken prints none; NDJSON goes
// line by line.
func (h hasher) file(file string, in io.Reader, out, explanations io.Writer) error {
	r := bufio.NewReaderSize(in, peekLine)
	count := 0
	if !isNDJSON(r) {
		text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
		if err != nil {
			return fmt.Errorf("read %s: %w", inputName(file), err)
		}
		if len(text) > maxDocument {
			return fmt.Errorf("%s is one JSON text of more than %d bytes; write it as NDJSON, one event a line", inputName(file), maxDocument)
		}
		if err := h.text(file, text, &count, out, explanations); err != nil {
			return fmt.Errorf("%s: %w", inputName(file), err)
		}
		return nil
	}
	for line := 1; ; line++ {
		text, err := readLine(r)
		if len(bytes.TrimSpace(text)) > 0 {
			if err := h.text(file, text, &count, out, explanations); err != nil {
				return fmt.Errorf("%s:%d: %w", inputName(file), line, err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", inputName(file), line, err)
		}
	}
}

// text prints the hashes of the events of one JSON text.
func (h hasher) text(file string, text []byte, count *int, out, explanations io.Writer) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		return errors.New("this is XML; the event hash is made of EPCIS 2.0 in JSON")
	}
	doc, err := epcis.ParseForHash(text)
	if err != nil {
		return err
	}
	events, err := epcis.Events(doc)
	if err != nil {
		return err
	}
	for i, event := range events {
		if event.Kind() != jcs.Object {
			return fmt.Errorf("event %d is a JSON %s, not an object", *count+i+1, event.Kind())
		}
	}
	if doc.Kind() == jcs.Object && len(events) == 1 && !saysEvent(doc) && !saysEvent(events[0]) {
		return errors.New("this JSON object is no EPCIS event: it has neither a type nor an eventTime")
	}
	for _, event := range events {
		*count++
		if err := h.event(file, *count, event, out, explanations); err != nil {
			return err
		}
	}
	return nil
}

// saysEvent tells an event, or what holds events, from any other JSON object.
func saysEvent(v jcs.Value) bool {
	_, typed := v.Get("type")
	_, timed := v.Get("eventTime")
	return typed || timed
}

func (h hasher) event(file string, number int, event jcs.Value, out, explanations io.Writer) error {
	if h.explain {
		if _, err := fmt.Fprintln(explanations, h.version.PreHash(event)); err != nil {
			return err
		}
	}
	if h.json {
		return printJSONLine(out, hashed{file, number, h.version.Hash(event), h.version.PreHash(event)})
	}
	_, err := fmt.Fprintln(out, h.version.Hash(event))
	return err
}
