// Package historyindex defines the history index: what stands in it, how it is
// hashed, and how a reader checks what it proves. It is pure: no database, no
// server, no clock.
//
//	entry ── Keys ──▶ keys, each a Hash
//	key ── its entries' positions ──▶ List ──▶ value
//	all (key, value) ──▶ map, a Merkle Patricia tree ──▶ root
//	root and the log's checkpoint ──▶ Leaf of the index log
//
// A [Proof] shows which value a map's root has for a key, or that it has none.
// With the positions that give that value, a reader knows how many entries the
// log has under the key and where they are, and so that none was left out:
// provided that the map was made by these rules, which its root alone does not
// show. Whoever rebuilds it from the log can vouch for that.
//
// Everything here is part of a format that never changes. docs/history-index.md
// describes it for other implementations.
package historyindex

import "crypto/sha256"

// A Hash is a SHA-256 hash.
type Hash = [sha256.Size]byte
