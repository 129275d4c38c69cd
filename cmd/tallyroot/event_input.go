package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

const (
	// maxDocument bounds one JSON text that is read as a whole. NDJSON has no
	// such bound: it is read line by line.
	maxDocument = 256 << 20
	// maxLine bounds one line of NDJSON. An event may have 1 MiB; a longer line
	// is refused by name, not silently cut.
	maxLine = 4 << 20
	// peekLine is how much of the beginning is looked at to tell NDJSON from JSON.
	peekLine = maxLine
)

// An inputEvent is one event or statement of the input, or the reason why there
// is none at this place.
type inputEvent struct {
	file    string
	number  int // of the event in its file, from 1
	line    int // of NDJSON, from 1; 0 for a document
	bytes   int64
	value   jcs.Value
	raw     []byte // what stands there, when it could not be read
	problem error
}

// where names the event's place for people.
func (e inputEvent) where() string {
	if e.line > 0 {
		return fmt.Sprintf("%s:%d", inputName(e.file), e.line)
	}
	return fmt.Sprintf("%s, event %d", inputName(e.file), e.number)
}

// inputEvents reads the events of all files in order: JSON (an event, an array of
// events, an EPCIS document or query document whose @context goes into each
// event) or NDJSON of the same. What cannot be read as a whole ends the sequence
// with an error; a bad line of NDJSON is an inputEvent with a problem.
func inputEvents(files []string) iter.Seq2[inputEvent, error] {
	return func(yield func(inputEvent, error) bool) {
		for _, file := range files {
			for e, err := range fileEvents(file) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

func fileEvents(file string) iter.Seq2[inputEvent, error] {
	return func(yield func(inputEvent, error) bool) {
		f, err := openInput(file)
		if err != nil {
			yield(inputEvent{}, err)
			return
		}
		defer f.Close()
		r := bufio.NewReaderSize(f, peekLine)
		if isNDJSON(r) {
			lineEvents(file, r, yield)
			return
		}
		text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
		if err != nil {
			yield(inputEvent{}, fmt.Errorf("read %s: %w", inputName(file), err))
			return
		}
		if len(text) > maxDocument {
			yield(inputEvent{}, fmt.Errorf("%s is one JSON text of more than %d bytes; write it as NDJSON, one event a line, which is read piece by piece", inputName(file), maxDocument))
			return
		}
		events, err := documentEvents(text)
		if err != nil {
			yield(inputEvent{}, fmt.Errorf("%s: %w", inputName(file), err))
			return
		}
		for i, v := range events {
			// Each event stands for its share of the file, for the progress bar.
			share := int64(len(text))*int64(i+1)/int64(len(events)) - int64(len(text))*int64(i)/int64(len(events))
			if !yield(inputEvent{file: file, number: i + 1, bytes: share, value: v}, nil) {
				return
			}
		}
	}
}

// isNDJSON: the first line that is not blank is a whole JSON object, and
// something follows it.
func isNDJSON(r *bufio.Reader) bool {
	head, _ := r.Peek(peekLine)
	head = bytes.TrimLeft(head, " \t\r\n")
	line, rest, cut := bytes.Cut(head, []byte("\n"))
	return cut && bytes.HasPrefix(line, []byte("{")) && json.Valid(line) && len(bytes.TrimSpace(rest)) > 0
}

func lineEvents(file string, r *bufio.Reader, yield func(inputEvent, error) bool) {
	number := 0
	for line := 1; ; line++ {
		text, err := readLine(r)
		if err == io.EOF && len(text) == 0 {
			return
		}
		if err != nil && err != io.EOF {
			yield(inputEvent{}, fmt.Errorf("%s:%d: %w", inputName(file), line, err))
			return
		}
		size := int64(len(text)) + 1
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		events, err := documentEvents(text)
		if err != nil {
			number++
			if !yield(inputEvent{file: file, number: number, line: line, bytes: size, raw: text, problem: err}, nil) {
				return
			}
		}
		for i, v := range events {
			number++
			e := inputEvent{file: file, number: number, line: line, value: v}
			if i == 0 {
				e.bytes = size
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// readLine gives one line without its line feed.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		end := err != bufio.ErrBufferFull
		if end {
			line = bytes.TrimSuffix(line, []byte("\n"))
		}
		if len(line) > maxLine {
			return nil, fmt.Errorf("the line has more than %d bytes", maxLine)
		}
		if end {
			return line, err
		}
	}
}

// documentEvents gives the events of one JSON text. Tallyroot's own statements
// stand beside EPCIS events, alone or in an array.
func documentEvents(text []byte) ([]jcs.Value, error) {
	doc, err := jcs.Parse(text)
	if err != nil {
		return nil, err
	}
	events, err := epcis.Events(doc)
	if err == nil && len(events) == 0 {
		err = errors.New("there is no event in it")
	}
	return events, err
}

// inputSize is the size of all files together, or -1 when one of them has none
// that is known.
func inputSize(files []string) int64 {
	var sum int64
	for _, file := range files {
		info, err := os.Stat(file)
		if file == "-" || err != nil || !info.Mode().IsRegular() {
			return -1
		}
		sum += info.Size()
	}
	return sum
}
