// Package embedded runs Trillian inside the process, over a store of its own
// in one folder: Trillian's log server, called directly, on a storage provider
// for Pebble. It needs no cgo and no other process.
//
// It promises:
//
//   - Acknowledged is durable is provable. AddSequencedLeaves writes the
//     leaves, integrates them with Trillian's log.IntegrateBatch and stores
//     the new root in one transaction with one fsync. Leaves behind a gap are
//     kept, and integrated with the batch that closes it.
//   - All or nothing: after an error none of the batch is stored, except with
//     [ErrBroken], when it is unknown until the store is opened again. The
//     state in memory is that of the last successful commit.
//   - One process at a time has the folder ([ErrInUse]).
//   - A full disk refuses appends ([ErrNoSpace]) before it can do harm, and
//     they are taken again when there is room. Should a write find no room all
//     the same, it waits for it. No I/O error ends the process.
//   - The clock that Trillian sees never steps back, not across restarts
//     either.
//   - Memory and the time to start do not grow with the log: at most 255
//     leaves and a few hundred tiles are read, besides what a process that was
//     killed left in the write-ahead log (at most some tens of MiB).
//
// It never believes itself: its root is unsigned, and package trillianlog
// rebuilds it from the leaves. A leaf that was changed on the disk is served
// changed (with a leaf hash computed from what is there), so that whoever
// rebuilds the root finds out. It never retries, never deletes a leaf, and
// does not use leaf values or extra data for anything.
//
// # What is stored
//
// The leaf, compressed; 16 bytes of its identity as a key to find it by; its
// hash in a tile of 256, once that is full. The nodes between are computed
// when a tile is read. The hashes after the last full tile are in memory and
// rebuilt from the leaves. Of the roots only the newest is kept.
//
// # What of Trillian is left out
//
// The storage is for PREORDERED_LOG trees. Trillian's conformance suites pass
// but for what needs the queue of LOG trees: QueueLeaves and
// UpdateSequencedLeaves are Unimplemented, and with them the suite's
// DequeueLeaves and DequeueLeavesTwoBatches are left out, since they begin
// with QueueLeaves. GetLeavesByHash, and with it GetInclusionProofByHash, is
// Unimplemented: an index of leaf hashes would cost some 20 bytes a leaf, and
// leaves are looked up by identity ([Backend.Find]).
//
// # What comes with Trillian
//
// Its packages log with klog, to the standard error unless klog is told
// otherwise (klog.SetSlogLogger); in normal operation they say nothing. Its
// package log adds the flag tree_ids_with_no_ephemeral_nodes to flag's
// CommandLine, where a program that uses that would show it.
package embedded
