package gateway

import (
	"bytes"
	"fmt"

	"google.golang.org/grpc/codes"
)

const jsonSpace = " \t\r\n"

// splitArray gives the texts of a JSON array's elements. It looks at strings
// and brackets alone: what an element is, and whether it is JSON at all, is
// judged with the element, so that one bad event refuses nothing but itself. An
// array whose own frame is broken is refused whole, since where one event ends
// and the next begins would be a guess.
func splitArray(b []byte, limit int) ([][]byte, error) {
	broken := func(at int, what string) error {
		return problem(codes.InvalidArgument, fmt.Sprintf("the batch, at byte %d: %s; send a JSON array of events, or one event a line as %s", at, what, contentNDJSON)).Err()
	}
	i := skipSpace(b, 0)
	if i == len(b) {
		return nil, broken(i, "there is nothing")
	}
	if b[i] != '[' {
		return nil, broken(i, fmt.Sprintf("an array begins with [, this with %q (one event alone goes to /v1/events)", rune(b[i])))
	}
	i = skipSpace(b, i+1)
	var events [][]byte
	count := 0
	if i < len(b) && b[i] == ']' {
		return nil, trailing(b, i+1, broken)
	}
	for {
		start := i
		var stack []byte // the closing brackets that are due
	element:
		for ; ; i++ {
			if i >= len(b) {
				return nil, broken(i, "the array ends before its closing ]")
			}
			switch c := b[i]; c {
			case '"':
				if i = endOfString(b, i); i < 0 {
					return nil, broken(start, "a string that begins in this element has no end")
				}
			case '{':
				stack = append(stack, '}')
			case '[':
				stack = append(stack, ']')
			case '}', ']':
				if len(stack) == 0 {
					if c == ']' {
						break element
					}
					return nil, broken(i, "a } closes nothing")
				}
				if stack[len(stack)-1] != c {
					return nil, broken(i, fmt.Sprintf("a %c where a %c is due", c, stack[len(stack)-1]))
				}
				stack = stack[:len(stack)-1]
			case ',':
				if len(stack) == 0 {
					break element
				}
			}
		}
		event := bytes.TrimRight(b[start:i], jsonSpace)
		if len(event) == 0 {
			return nil, broken(start, "an event is missing beside a comma")
		}
		if count++; count <= limit {
			events = append(events, event)
		}
		if b[i] == ']' {
			break
		}
		i = skipSpace(b, i+1)
	}
	if count > limit {
		return nil, tooLarge("the batch", "events", count, limit).Err()
	}
	if err := trailing(b, i+1, broken); err != nil {
		return nil, err
	}
	return events, nil
}

func trailing(b []byte, i int, broken func(int, string) error) error {
	if i = skipSpace(b, i); i < len(b) {
		return broken(i, "there is something after the array")
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// endOfString gives the index of the quote that ends the string which begins at
// i, and -1 if there is none.
func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// looksLikeLines tells NDJSON that came as plain JSON: its first line is an
// object, and more follows.
func looksLikeLines(b []byte) bool {
	line, more, _ := bytes.Cut(bytes.Trim(b, jsonSpace), []byte{'\n'})
	line = bytes.TrimRight(line, jsonSpace)
	return len(line) > 1 && line[0] == '{' && line[len(line)-1] == '}' && len(more) > 0
}

// splitLines gives the lines of NDJSON; empty ones are left out.
func splitLines(b []byte, limit int) ([][]byte, error) {
	var events [][]byte
	count := 0
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		if line = bytes.Trim(line, jsonSpace); len(line) == 0 {
			continue
		}
		if count++; count <= limit {
			events = append(events, line)
		}
	}
	if count > limit {
		return nil, tooLarge("the batch", "events", count, limit).Err()
	}
	return events, nil
}
