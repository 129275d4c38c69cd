// Package mysql runs Trillian inside the process on a MySQL or MariaDB database:
// Trillian's log server, called directly, over Trillian's own storage/mysql and
// its official schema. Trillian's stock servers can run on the same tables.
//
// It promises:
//
//   - Acknowledged is durable is provable. AddSequencedLeaves writes the leaves,
//     the nodes of the tree that they change and its new root in one transaction.
//     Leaves behind a gap are kept, and integrated with the batch that closes it.
//   - All or nothing: after an error none of the batch is stored, or all of it is
//     and the answer was lost. Where the database has one of a batch's indices or
//     identities already, the batch goes Trillian's own way, leaf by leaf: each
//     leaf has an answer of its own, and those that were taken are integrated
//     afterwards, again and again until that succeeds.
//   - What Find and Next say holds: a transaction whose outcome was lost, of this
//     process or of one that was killed, is waited for before they answer.
//   - Two processes on one database never corrupt it: the primary keys fence
//     them. The slower one gets errors.
//   - A call returns when its context ends, whatever the database does. A
//     database that goes away gives errors of the code Unavailable; when it is
//     back, everything goes on, without a restart.
//   - The clock that Trillian sees never steps back. A machine whose clock is far
//     behind the newest tree head is refused (Options.MaxClockLag).
//   - The table of tree heads does not grow without bound (Options.MaxTreeHeads).
//
// It never believes itself: its root is unsigned, and package trillianlog
// rebuilds it from the leaves. It never makes or changes a table, and never
// deletes a leaf that has an index.
//
// # What is stored
//
// Trillian's tables, as Trillian fills them: each leaf is a row in LeafData and
// one in SequencedLeafData, each integration a row in TreeHead and changed rows
// in Subtree. What lies at the tree's right edge is kept in memory, so that a write
// reads nothing; whatever does not follow the last write (a gap, another process) is
// left to Trillian's log.IntegrateBatch. A row in LeafData that none in SequencedLeafData belongs to has no
// index and never had one; it gives way to a leaf of the same identity.
//
// Nobody needs the old tree heads: what was signed and published is in the tiles.
// The newest are kept to look at, the older ones are deleted in the background, a
// few at a time.
//
// # What comes with Trillian
//
// Its packages log with klog, to the standard error unless klog is told otherwise
// (klog.SetSlogLogger): remarks on what failed, with the database's own words, but
// without statements and leaves. They add flags to flag's CommandLine (mysql_uri
// and others), where a program that uses that would show them; here they mean
// nothing.
package mysql
