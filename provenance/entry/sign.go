package entry

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// ErrKeys says that the keys given do not fit the header.
var ErrKeys = errors.New("the signing keys do not fit the entry's participants")

// Text makes what is signed: the header and the canonical JSON, each with its
// line feed. Signers on different machines sign the same text; an Entry of that
// Text and their Signatures, in the participants' order, gives the bytes.
//
// canonical must be the canonical form of a JSON object, as package jcs writes
// it: only that it is one line in braces is checked here.
func Text(origin string, participants []string, canonical []byte) ([]byte, error) {
	return appendText(nil, origin, participants, canonical, 0)
}

// appendText is Text, with room for more bytes behind it.
func appendText(dst []byte, origin string, participants []string, canonical []byte, more int) ([]byte, error) {
	if err := checkHeader(origin, participants); err != nil {
		return nil, err
	}
	if n := len(canonical); n < 2 || canonical[0] != '{' || canonical[n-1] != '}' {
		return nil, fmt.Errorf("%w: it is not in braces", ErrJSON)
	}
	for i, c := range canonical {
		if c < ' ' {
			return nil, fmt.Errorf("%w: byte %d is a control character", ErrJSON, i)
		}
	}
	size := len(headerPrefix) + len(origin) + 1 + len(participants) + len(canonical) + 1
	for _, p := range participants {
		size += len(p)
	}
	if dst == nil {
		dst = make([]byte, 0, size+more)
	}
	dst = append(dst, headerPrefix...)
	dst = append(dst, origin...)
	for i, p := range participants {
		dst = append(dst, " ,"[min(i, 1)])
		dst = append(dst, p...)
	}
	dst = append(dst, '\n')
	dst = append(dst, canonical...)
	return append(dst, '\n'), nil
}

// Sign makes and signs an entry: one key for each participant, in their order,
// each named as KeyName or OperatorKeyName says. canonical is as in Text. Its
// error is an ErrTooLarge, ErrHeader, ErrJSON or ErrKeys.
func Sign(origin string, participants []string, canonical []byte, keys ...*Key) ([]byte, error) {
	more := 1
	for _, k := range keys {
		more += len(signaturePrefix) + len(k.verifier.Name) + 1 + base64.StdEncoding.EncodedLen(signatureSize) + 1
	}
	b, err := appendText(nil, origin, participants, canonical, more)
	if err != nil {
		return nil, err
	}
	if len(keys) != len(participants) {
		return nil, fmt.Errorf("%w: %d keys for %d participants", ErrKeys, len(keys), len(participants))
	}
	for i, k := range keys {
		if !isKeyOf(k.verifier.Name, origin, participants[i]) {
			return nil, fmt.Errorf("%w: %q is no key name of %s in %s", ErrKeys, k.verifier.Name, participants[i], origin)
		}
	}
	if size := len(b) + more; size > MaxSize {
		return nil, &TooLargeError{size, MaxSize}
	}
	text := b
	b = append(b, '\n')
	for _, k := range keys {
		b = append(b, signaturePrefix...)
		b = k.Sign(text).Append(b)
		b = append(b, '\n')
	}
	return b, nil
}
