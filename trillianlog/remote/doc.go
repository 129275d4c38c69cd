// Package remote is a log's back end on Trillian's own servers, unchanged: a
// trillian_log_server that is called over gRPC, and a trillian_log_signer that
// integrates what was stored.
//
// It promises:
//
//   - What AddSequencedLeaves answers with OK is committed in the servers'
//     database. It is integrated a moment later, by the signer.
//   - [Backend.Find] and [Backend.Next] answer from what Trillian has. After a
//     write that failed, or of which a leaf was refused, they ask Trillian again
//     before they answer anything.
//   - A server that is away, or has lost its database, is an error at once, and
//     no more when it is back. Every call ends within [CallTimeout].
//   - What is stored and not integrated is bounded, so that a signer that is away
//     is no flood when it comes back: [Backend.Reserve].
//
// It never believes that it is alone: another process may write to the same
// tree, and the database's keys decide who has an index. It never fills a hole
// and never repeats a write by itself: those are the log's decisions.
//
// # What Trillian does not say
//
// Its API finds no leaf by identity. The identities of the integrated leaves are
// therefore kept in a folder ([Options.Dir]), and those of the others in memory.
// The folder is a projection: it may be deleted or be an old copy, and Open makes
// up from Trillian what it lacks. Before it is believed, Trillian has to prove
// that its tree begins with the leaves that the folder has.
//
// It shows stored leaves only as far as they adjoin the integrated ones. What
// lies behind an index without a leaf shows itself when it is in the way: a write
// to its index, or of its identity, is refused. Then Trillian's inclusion proofs,
// which are by leaf hash and look at all that is stored, say where it stands; the
// holes before it are known from there on.
package remote
