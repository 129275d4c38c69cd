// Package store keeps a log's history index on disk: the map of all keys with the
// lists behind it, which is computed from the log's entries, and the leaves of the
// index log, which are not.
//
// It promises:
//
//   - A leaf is made once. It is durable before anybody sees it, found again after
//     a crash at any moment, and never made again: what is computed later is
//     compared with it ([DifferenceError]).
//   - Entries, lists, buckets, the root and the leaf that commits to them become
//     durable in one batch.
//   - Readers stay at one published index checkpoint, with all proofs, however far
//     the map has grown meanwhile; and a proof is checked with the reader's own
//     code before it leaves.
//   - Between two leaves nothing is written. What ReadAhead has read is in memory alone,
//     and a crash costs no more than reading it again.
//   - What a key's change or proof costs is bounded, whatever keys there are: at
//     most 32 rows are read. Memory and the time to open grow with the keys, some 5
//     bytes and a twentieth of a microsecond each.
//
// It signs nothing, publishes nothing, and does not believe that a checkpoint that
// it is given is the log's: that is the caller's affair.
//
// # What is on disk
//
//	map/     the map. May be deleted while nobody has it open: CatchUp makes it again
//	leaves/  the index log's leaves, in order. Primary data: must not be lost
//
// The leaves have a folder of their own, so that the map, which is a thousand times
// as large and can be made again, can be thrown away as a whole, damaged files and
// all. The tiles of the index log hold the leaves too, and are where others read
// them; but they count a leaf only when a checkpoint that covers it is published,
// and a leaf must be durable before that checkpoint is signed. If leaves/ is lost,
// the published leaves come back from the tiles by Follow, which computes each one
// again.
//
// The newest leaf stands in the map too: in the batch that brought the map to it.
// Should the process end before the leaf is in leaves/ as well, Open puts it there.
// So do all those that Follow has taken and not synced yet.
//
// # How the map is stored
//
// A row for each key has the hash of its leaf in the map, the number of positions
// and what is needed to add to their list. They are sorted by key, so all keys that
// begin with the same bits stand together, and any subtree of the map can be
// computed from them. A bucket is a largest subtree with at most 32 keys; its root
// is stored. What is above the buckets is in memory, and is computed from them by
// Open. Inner nodes below are computed when somebody asks. A bucket that grows
// beyond 32 keys is split by the next bit, so no work ever waits for the whole map.
package store
