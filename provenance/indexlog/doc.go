// Package indexlog publishes the history index: it makes a leaf of the index log for
// the newest published checkpoint of the log, at most one a second, and an index
// checkpoint over it that is signed, cosigned and published like the log's own.
//
// It promises:
//
//   - A leaf is durable before anybody is shown it, and never made again. The text of
//     an index checkpoint is durable in a store of its own before it is signed, so
//     there are never two of one size.
//   - What is published meets the index policy, by the code that readers use. If
//     witnesses are away, the one before stays and is still served.
//   - A Snapshot is one state of everything that a history is proved with: index
//     checkpoint, leaf, log checkpoint and map belong together.
//   - Whatever happens to the index, the log goes on. An index that would contradict
//     what it signed stops for good, says so, and serves what it has published last.
//
// It knows neither HTTP nor the log's back end: entries come from a Source, which
// promises that what it calls published is.
//
// # The order of one leaf
//
// Until a leaf is due, the entries that it will be about are read as the log publishes
// them. That is in memory alone; all else waits for the leaf.
//
// The steps, and what is true after a crash behind each step:
//
//  1. the log's signed checkpoint is kept. It counts only if a leaf is about it.
//  2. the map has the entries and the leaf is durable (package store). From now on
//     this leaf comes next, whatever else is published.
//  3. the leaf's tiles are durable. Whoever verifies the index can read it.
//  4. the index checkpoint's text has replaced the one before in the last-checkpoint
//     store. The index log is bound to it.
//  5. it is signed, and cosigned if the policy asks for it. The same text gives the
//     same signature again.
//  6. it is published: its files are durable, and readers are shown the new state.
package indexlog
