// Landgen makes land.bin, the outlines that the pages' maps are drawn over, from
// countries-50m.json of the npm package world-atlas 2.0.2 (Natural Earth 4.1,
// public domain, as TopoJSON):
//
//	npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
//	go run ./gateway/web/internal/landgen package/countries-50m.json > gateway/web/land.bin
//
// Arcs are simplified by Douglas and Peucker's method and written as the
// differences of whole hundredths of a degree, compressed (RFC 1951). The same
// input gives the same bytes.
package main

import (
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"math"
	"os"
)

const (
	tolerance = 0.022 // degrees of latitude that a line may move
	remote    = 0.15  // the same where few people live: beyond the polar circles
	smallest  = 0.10  // degrees that a ring must span to be kept
	scale     = 100   // units a degree
	southEnd  = -60   // degrees: Antarctica is left out
)

type point struct{ x, y float64 }

type topology struct {
	Transform struct{ Scale, Translate [2]float64 }
	Arcs      [][][2]float64
	Objects   struct {
		Countries, Land struct{ Geometries []geometry }
	}
}

type geometry struct {
	Type string
	Arcs json.RawMessage
}

// rings gives the rings of a geometry, each as its arcs.
func (g geometry) rings() (rings [][]int) {
	var polygons [][][]int
	switch g.Type {
	case "Polygon":
		var polygon [][]int
		must(json.Unmarshal(g.Arcs, &polygon))
		polygons = [][][]int{polygon}
	case "MultiPolygon":
		must(json.Unmarshal(g.Arcs, &polygons))
	}
	for _, p := range polygons {
		rings = append(rings, p...)
	}
	return rings
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: landgen countries-50m.json > land.bin")
	}
	text, err := os.ReadFile(os.Args[1])
	must(err)
	var t topology
	must(json.Unmarshal(text, &t))
	arcs := make([][]point, len(t.Arcs))
	for i, arc := range t.Arcs {
		var x, y float64
		line := make([]point, len(arc))
		for j, d := range arc {
			x, y = x+d[0], y+d[1]
			line[j] = point{x*t.Transform.Scale[0] + t.Transform.Translate[0], y*t.Transform.Scale[1] + t.Transform.Translate[1]}
		}
		arcs[i] = simplify(line)
	}
	var coasts, borders [][]point
	for _, g := range t.Objects.Land.Geometries {
		for _, ring := range g.rings() {
			if line := join(arcs, ring); worth(line) {
				coasts = append(coasts, line)
			}
		}
	}
	uses := map[int]int{}
	for _, g := range t.Objects.Countries.Geometries {
		for _, ring := range g.rings() {
			for _, a := range ring {
				uses[max(a, ^a)]++
			}
		}
	}
	for i, arc := range arcs {
		if uses[i] > 1 {
			borders = append(borders, arc)
		}
	}
	w, err := flate.NewWriter(os.Stdout, flate.BestCompression)
	must(err)
	write(w, coasts)
	write(w, borders)
	must(w.Close())
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// join puts arcs together; ^i is arc i backwards.
func join(arcs [][]point, ring []int) (line []point) {
	for _, a := range ring {
		arc := arcs[max(a, ^a)]
		if a < 0 {
			back := make([]point, len(arc))
			for i, p := range arc {
				back[len(arc)-1-i] = p
			}
			arc = back
		}
		if len(line) > 0 {
			arc = arc[1:]
		}
		line = append(line, arc...)
	}
	return line
}

// worth tells whether a ring is large enough, and not Antarctica's.
func worth(ring []point) bool {
	low, high := ring[0], ring[0]
	for _, p := range ring {
		low = point{min(low.x, p.x), min(low.y, p.y)}
		high = point{max(high.x, p.x), max(high.y, p.y)}
	}
	return len(ring) > 3 && high.y > southEnd && max((high.x-low.x)*math.Cos(low.y*math.Pi/180), high.y-low.y) >= smallest
}

func simplify(line []point) []point {
	if len(line) < 3 {
		return line
	}
	first, last := line[0], line[len(line)-1]
	far, at := 0.0, 0
	for i := 1; i < len(line)-1; i++ {
		if d := distance(line[i], first, last); d > far {
			far, at = d, i
		}
	}
	limit := tolerance
	if math.Abs(first.y) > 66 || first.y < -45 || first.y > 56 && first.x < -55 {
		limit = remote
	}
	if far <= limit {
		return []point{first, last}
	}
	return append(simplify(line[:at+1]), simplify(line[at:])[1:]...)
}

// distance is that of p to the segment from a to b, in degrees of latitude.
func distance(p, a, b point) float64 {
	k := math.Cos(p.y * math.Pi / 180)
	px, py, bx, by := (p.x-a.x)*k, p.y-a.y, (b.x-a.x)*k, b.y-a.y
	if l := bx*bx + by*by; l > 0 {
		u := max(0, min(1, (px*bx+py*by)/l))
		px, py = px-u*bx, py-u*by
	}
	return math.Hypot(px, py)
}

func write(w io.Writer, lines [][]point) {
	b := binary.AppendUvarint(nil, uint64(len(lines)))
	for _, line := range lines {
		b = binary.AppendUvarint(b, uint64(len(line)))
		var x, y int64
		for _, p := range line {
			nx, ny := int64(math.Round(p.x*scale)), int64(math.Round(p.y*scale))
			b = binary.AppendVarint(b, nx-x)
			b = binary.AppendVarint(b, ny-y)
			x, y = nx, ny
		}
	}
	_, err := w.Write(b)
	must(err)
}
