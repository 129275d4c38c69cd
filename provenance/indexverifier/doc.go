// Package indexverifier rebuilds a log's history index from the log's entries, and
// says of the index log's checkpoints whether they are so.
//
// A cosigner that asks it before it cosigns (package witness, Options.Verify) is an
// index-verifier: who trusts its key need not believe the log's operator that nothing
// is missing from a history.
//
// It promises of every checkpoint that Verify has nothing against:
//
//   - Every leaf below its size has the map root that the log's first entries give, as
//     many as the leaf says. They were computed here, entry by entry, by the code of
//     package historyindex.
//   - Each leaf is about a tree of the log that the log's key has signed: it is a
//     beginning of the log's published checkpoint.
//   - The leaves are those that the index checkpoint commits to, and follow each
//     other.
//
// Everything that it keeps can be made again and may be deleted while nobody has it
// open. What it reads is compared with signed checkpoints, so neither a proxy nor a
// mirror in between can make it err; they can only keep it waiting.
//
// It does not check the signatures on entries, nor what they say.
package indexverifier
