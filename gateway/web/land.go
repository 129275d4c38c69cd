package web

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"encoding/binary"
	"io"
	"sync"
)

// land.bin is made by internal/landgen from Natural Earth's 1:50m countries
// (public domain); its outlines are simplified to some 2.5 km.
//
//go:embed land.bin
var landData []byte

// A spot is a point of the earth, in degrees east and north.
type spot struct{ East, North float64 }

// outlines are closed coasts and open borders.
type outlines struct{ coasts, borders [][]spot }

// land reads the outlines, once.
var land = sync.OnceValue(func() outlines {
	data, err := io.ReadAll(flate.NewReader(bytes.NewReader(landData)))
	if err != nil {
		panic(err) // it is part of the program
	}
	lines := func() [][]spot {
		count, n := binary.Uvarint(data)
		data = data[n:]
		lines := make([][]spot, count)
		for i := range lines {
			points, n := binary.Uvarint(data)
			data = data[n:]
			line := make([]spot, points)
			var x, y int64
			for j := range line {
				dx, n := binary.Varint(data)
				dy, m := binary.Varint(data[n:])
				data = data[n+m:]
				x, y = x+dx, y+dy
				line[j] = spot{float64(x) / 100, float64(y) / 100}
			}
			lines[i] = line
		}
		return lines
	}
	return outlines{lines(), lines()}
})
