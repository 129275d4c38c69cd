package verifytest

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Files gives the tree at a size as the files of https://c2sp.org/tlog-tiles, by
// their paths: "tile/0/000.p/7", "tile/entries/000.p/7". The checkpoint is not among
// them. Tiles of smaller sizes are not there, except those that are full.
func (l *Tree) Files(size uint64) map[string][]byte {
	const height = 8
	files := make(map[string][]byte)
	for _, t := range tlog.NewTiles(height, 0, int64(size)) {
		data, err := tlog.ReadTileData(t, l)
		must(err)
		files[strings.Replace(t.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)] = data
		if t.L != 0 {
			continue
		}
		var bundle []byte
		for _, leaf := range l.Leaves[t.N<<height:][:t.W] {
			bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(leaf)))
			bundle = append(bundle, leaf...)
		}
		files[strings.Replace(t.Path(), fmt.Sprintf("tile/%d/0/", height), "tile/entries/", 1)] = bundle
	}
	return files
}
