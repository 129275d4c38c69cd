package logtree

import "strings"

// LacksNodes says whether an error of Trillian's says that its tree has not the
// nodes that it needs, or cannot read them: they are beyond its end, or damaged. Such
// errors have no code, so that their texts are all there is to go by
// (storage/cache/subtree_cache.go, server/proof_fetcher.go,
// storage/mysql/tree_storage.go).
func LacksNodes(err error) bool {
	if err == nil {
		return false
	}
	said := err.Error()
	for _, sign := range []string{
		"preload did not get all tiles", "nodes from storage but got", "subtree mismatch", "getNodeHash(",
		"cannot parse invalid wire-format data", // a row's protobuf
	} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}

// CannotGrow says whether an error of Trillian's integration says that the nodes from
// which a tree grows are missing or do not give its root, so that trying again does
// not help (log/sequencer.go).
func CannotGrow(err error) bool {
	return LacksNodes(err) || err != nil && (strings.Contains(err.Error(), "root hash mismatch") ||
		strings.Contains(err.Error(), "failed to get ") && strings.Contains(err.Error(), " nodes, got "))
}
