// Package mirror keeps a copy of a log and its index log that answers for them when
// they are down: all entries, all tiles, and the map that histories are proved with.
//
// It promises:
//
//   - What is in the folder was compared with checkpoints that the log's and the index
//     log's keys have signed and that meet the mirror's policies. A copy never goes
//     back: an origin that shows another history than the one that is here is refused
//     (ErrForked).
//   - The map is made here, from the entries, and held against every leaf of the index
//     log. A Snapshot is served only of what was found to be so.
//   - A copy that is broken off, by whatever, goes on where it was; what was there
//     before stays served meanwhile.
//   - The folder is laid out for any web server: log/ and index/ are what the origin
//     has under /log/ and /index/.
//
// Nobody needs to trust a mirror: readers check what it serves as they check the
// origin. It signs nothing, and can neither add an entry nor leave one out.
//
// # What is in the folder
//
//	log/             the log, as static files (package tiles)
//	index/           the index log, likewise
//	index-store/     the map, and the leaves that it was compared with. May be deleted
//	before           the log's checkpoint before the newest: the index log may be behind
//	policy.txt, index-policy.txt
//	                 what the checkpoints have to meet
package mirror
