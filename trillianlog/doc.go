// Package trillianlog is an append-only log over a Trillian PREORDERED_LOG
// tree, with signed checkpoints, static tiles and receipts.
//
// It promises:
//
//   - An acknowledged leaf is durable and provable: [Ticket.Wait] returns when
//     a published checkpoint that meets the log's own policy covers the leaf.
//   - No two histories are ever signed. Trillian's root is not believed: the
//     publisher rebuilds it from the leaves that it reads back and compares.
//     The text of each checkpoint goes through a compare-and-swap in a store
//     of its own ([LastCheckpoint]) before it is signed.
//   - A database that was rolled back or forked stops publishing, with a
//     reason that [Log.Status] gives; the last good checkpoint and every proof
//     under it are still served.
//   - A leaf identity is logged once, and the order of indices is the order of
//     the calls to [Log.Add].
//   - Reads need no Trillian: every proof is computed from the tiles.
//   - A back end that goes away, or hangs, is noticed within seconds. From then
//     on new leaves are refused at once, what was being written is answered
//     [ErrUnknown], and leaves are taken again by themselves when it is back.
//
// It never looks inside a leaf, never signs a checkpoint that it has not
// rebuilt, never waits for a timer to gather a batch, and never gives an index
// twice or leaves one empty.
package trillianlog
