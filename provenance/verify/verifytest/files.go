package verifytest

import (
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// File gives a file of https://c2sp.org/tlog-tiles, such as "tile/0/000.p/7", at every
// size that the tree had; false if it had none that needs it. A checkpoint is not among
// them.
func (l *Tree) File(path string) (data []byte, ok bool) {
	const height = 8
	p, err := tiles.ParsePath(path)
	if err != nil || p.Kind != tiles.KindTile && p.Kind != tiles.KindEntries || p.Index >= 1<<40 {
		return nil, false
	}
	if end := (p.Index<<height + uint64(p.Width)) << (height * min(p.Level, 6)); end > l.Size() || p.Level > 6 {
		return nil, false
	}
	if p.Kind == tiles.KindEntries {
		for _, leaf := range l.Leaves[p.Index<<height:][:p.Width] {
			data = binary.BigEndian.AppendUint16(data, uint16(len(leaf)))
			data = append(data, leaf...)
		}
		return data, true
	}
	data, err = tlog.ReadTileData(tlog.Tile{H: height, L: p.Level, N: int64(p.Index), W: p.Width}, l)
	must(err)
	return data, true
}
