package tiles

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

const (
	// Width is the number of hashes in a full tile and of entries in a full bundle.
	Width = tiletree.Width
	// CheckpointPath is where the newest signed checkpoint stands.
	CheckpointPath = "checkpoint"

	maxLevel = 63 // the specification's
	maxPath  = 64 // bytes; no path of a 64-bit index is longer
)

// ErrPath is what every error about a resource path wraps.
var ErrPath = errors.New("not a path of a tiled log")

// A Kind says what a resource of a tiled log holds.
type Kind uint8

const (
	KindCheckpoint Kind = iota // the newest signed checkpoint
	KindTile                   // hashes of the tree
	KindEntries                // a bundle of entries
)

// A Path is the parsed name of a resource. Width is 256 for a full tile or
// bundle; Level is 0 for entries. The other members are 0 for the checkpoint.
type Path struct {
	Kind  Kind
	Level int
	Index uint64
	Width int
}

// TilePath names the tile of a level (0 to 63) and index with its first width
// (1 to 256) hashes: tile/<L>/<N>[.p/<W>].
func TilePath(level int, index uint64, width int) string {
	b := append(make([]byte, 0, maxPath), "tile/"...)
	b = strconv.AppendInt(b, int64(level), 10)
	return string(appendIndex(append(b, '/'), index, width))
}

// EntriesPath names the bundle of an index with its first width (1 to 256)
// entries: tile/entries/<N>[.p/<W>].
func EntriesPath(index uint64, width int) string {
	return string(appendIndex(append(make([]byte, 0, maxPath), "tile/entries/"...), index, width))
}

// String names the resource, relative to the log's prefix.
func (p Path) String() string {
	switch p.Kind {
	case KindTile:
		return TilePath(p.Level, p.Index, p.Width)
	case KindEntries:
		return EntriesPath(p.Index, p.Width)
	}
	return CheckpointPath
}

// appendIndex writes N in groups of three digits, all but the last with an x, and
// the suffix of a partial tile.
func appendIndex(dst []byte, index uint64, width int) []byte {
	div := uint64(1)
	for index/div >= 1000 {
		div *= 1000
	}
	for ; div > 0; div /= 1000 {
		if div > 1 {
			dst = append(dst, 'x')
		}
		group := index / div % 1000
		dst = append(dst, byte('0'+group/100), byte('0'+group/10%10), byte('0'+group%10))
		if div > 1 {
			dst = append(dst, '/')
		}
	}
	if width < Width {
		dst = append(dst, ".p/"...)
		dst = strconv.AppendInt(dst, int64(width), 10)
	}
	return dst
}

// ParsePath reads the name of a resource, relative to the log's prefix, as
// https://c2sp.org/tlog-tiles spells it. For every name that it accepts, String
// gives that name again.
func ParsePath(name string) (Path, error) {
	if name == CheckpointPath {
		return Path{}, nil
	}
	bad := func(why string) (Path, error) { return Path{}, fmt.Errorf("%w: %.80q: %s", ErrPath, name, why) }
	if len(name) > maxPath {
		return bad("too long")
	}
	rest, ok := strings.CutPrefix(name, "tile/")
	level, rest, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return bad("want checkpoint, tile/<level>/<index> or tile/entries/<index>")
	}
	p := Path{Kind: KindEntries, Width: Width}
	if level != "entries" {
		n, err := strconv.ParseUint(level, 10, 8)
		if err != nil || n > maxLevel || strconv.FormatUint(n, 10) != level {
			return bad("the level is not a decimal number from 0 to 63")
		}
		p.Kind, p.Level = KindTile, int(n)
	}
	if index, width, ok := strings.Cut(rest, ".p/"); ok {
		n, err := strconv.ParseUint(width, 10, 8)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != width {
			return bad("the width of a partial tile is not a decimal number from 1 to 255")
		}
		rest, p.Width = index, int(n)
	}
	digits := strings.ReplaceAll(strings.ReplaceAll(rest, "/", ""), "x", "")
	n, err := strconv.ParseUint(digits, 10, 64)
	p.Index = n
	// Printing it again settles the grouping, the x and the zeros.
	if err != nil || p.String() != name {
		return bad("the index is not written in groups of three digits, such as x001/x234/067")
	}
	return p, nil
}
