// Package mysql runs Trillian inside the process on a MySQL or MariaDB database:
// Trillian's log server, called directly, over Trillian's own storage/mysql and
// its official schema. Trillian's stock servers can run on the same tables.
//
// It promises:
//
//   - Acknowledged is durable: when AddSequencedLeaves returns without an error,
//     the transaction with the leaves is committed. They are then integrated by
//     Trillian's log.IntegrateBatch, in a transaction of its own, before the call
//     returns. Should that fail, the leaves count as added all the same, and
//     integration is tried again until it succeeds.
//   - All or nothing: a batch is written in one transaction. Only where the
//     database has some of its indices or identities already does each leaf get
//     an answer of its own.
//   - Two processes on one database never corrupt it: the primary keys fence
//     them. The slower one gets errors.
//   - What Find and Next say holds: a transaction whose outcome was lost is
//     waited for before they answer.
//   - A database that goes away gives errors of the code Unavailable. When it is
//     back, everything goes on, without a restart.
//   - The clock that Trillian sees never steps back. A machine whose clock is far
//     behind the newest tree head is refused (see [DefaultMaxClockLag]).
//   - The table of tree heads does not grow without bound (see Options.MaxTreeHeads).
//
// It never believes itself: its root is unsigned, and package trillianlog
// rebuilds it from the leaves. It never makes or changes a table, and never
// deletes a leaf that has an index.
//
// # What is stored
//
// Trillian's tables, as Trillian fills them: each leaf is a row in LeafData and
// one in SequencedLeafData, each integration a row in TreeHead and changed rows
// in Subtree. A row in LeafData that none in SequencedLeafData belongs to has no
// index and never had one; it gives way to a leaf of the same identity.
//
// Nobody needs the old tree heads: what was signed and published is in the tiles.
// The newest Options.MaxTreeHeads are kept to look at, the older ones are deleted
// in the background, [pruneRows] at a time.
//
// # What comes with Trillian
//
// Its packages log with klog, to the standard error unless klog is told otherwise
// (klog.SetSlogLogger): remarks on failed statements, with the database's own
// words but without the statements and the leaves. They add flags to flag's
// CommandLine (mysql_uri and others), where a program that uses that would show
// them; they are not looked at here.
package mysql
