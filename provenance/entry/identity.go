package entry

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// The types of statement: what stands in the JSON's member type when it is no
// EPCIS event. Package participant reads and writes them.
const (
	TypeGenesis     = statementPrefix + "Genesis"
	TypeParticipant = statementPrefix + "Participant"
	TypeOperator    = statementPrefix + "Operator"
	TypeProduct     = statementPrefix + "Product"
	TypePlace       = statementPrefix + "Place"
	TypeVoid        = statementPrefix + "Void"

	statementPrefix = "tallyroot:"
)

// IsStatement tells whether v's type is one of Tallyroot's own, known to this
// package or not, and no EPCIS event's.
func IsStatement(v jcs.Value) bool { return strings.HasPrefix(typeOf(v), statementPrefix) }

// ErrNoIdentity says that a JSON object lacks the members of which its identity
// is made.
var ErrNoIdentity = errors.New("the entry has no identity")

// Identity tells entries apart: two of one identity are one thing said twice.
// It is the SHA-256 of
//
//	participant ‖ 0x00 ‖ eventID                                  for an event
//	participant ‖ 0x00 ‖ eventID ‖ 0x00 ‖ declarationTime         for an error declaration
//	participant ‖ 0x00 ‖ type ‖ 0x00 ‖ about ‖ 0x00 ‖ number      for a statement
//
// where participant is the header's first, about is the origin of a Genesis,
// the id of a Participant, "operator" for an Operator, the identifier of a
// Product or Place and nothing for a Void, and number is decimal (0 for a
// Genesis).
func Identity(participant string, v jcs.Value) ([32]byte, error) {
	parts := make([]string, 1, 4)
	parts[0] = participant
	need := func(v jcs.Value, name string) error {
		member, _ := v.Get(name)
		if member.Text() == "" {
			return fmt.Errorf("%w: %s is missing or not a string", ErrNoIdentity, name)
		}
		parts = append(parts, member.Text())
		return nil
	}
	var err error
	if IsStatement(v) {
		parts = append(parts, typeOf(v))
		switch typeOf(v) {
		case TypeGenesis:
			err = need(v, "origin")
		case TypeParticipant:
			err = need(v, "id")
		case TypeProduct, TypePlace:
			err = need(v, "identifier")
		case TypeOperator:
			parts = append(parts, Operator)
		case TypeVoid:
			parts = append(parts, "")
		default:
			err = fmt.Errorf("%w: unknown statement type %q", ErrNoIdentity, typeOf(v))
		}
		number := "0"
		if typeOf(v) != TypeGenesis {
			member, _ := v.Get("number")
			if number = member.Number(); err == nil && !isCount(number) {
				err = fmt.Errorf("%w: number is missing or not a whole number", ErrNoIdentity)
			}
		}
		parts = append(parts, number)
	} else {
		err = need(v, "eventID")
		if declaration, ok := v.Get("errorDeclaration"); ok && err == nil {
			err = need(declaration, "declarationTime")
		}
	}
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256([]byte(strings.Join(parts, "\x00"))), nil
}

// isCount tells whether s is the canonical text of a whole number from 0.
func isCount(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
