// Package witness is a witness for transparency logs
// (https://c2sp.org/tlog-witness): a server that cosigns a log's checkpoint when it
// continues the one that it cosigned before.
//
// It promises, for each log:
//
//   - Whatever it cosigned is one history: each checkpoint continues, by a proof that
//     it checked, the one before. Nobody can be shown another history with its
//     cosignature.
//   - Sizes never go back, and neither do the times of its cosignatures.
//   - What it answered with a cosignature survives kill -9 and power loss. Comparing
//     with the last checkpoint and replacing it is one step, durable before the answer
//     leaves.
//   - Two checkpoints of one size and different roots, both signed by the log, are
//     kept as the proof of the fork that they are.
//
// It takes checkpoints in the narrow form of package checkpoint: without extension
// lines, signed with an Ed25519 key that is named as the log's origin. It believes
// nobody else's cosignatures, never asks a log for anything, and never cosigns again
// under a key whose memory was lost.
//
// The statuses are those of the specification's draft of July 2026, where version 1.0
// differs: 422 for another root at the size that was cosigned last (there 409), and
// 403 also when one of several signatures by the log's keys does not hold. A witness
// also answers 408, 413, 429 and 503, the last two with Retry-After: asked again later,
// it may cosign.
//
// Package quorum asks witnesses.
package witness
