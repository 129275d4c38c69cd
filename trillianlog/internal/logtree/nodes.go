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
