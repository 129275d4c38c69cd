package web

import (
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The map's size in its own units; a page scales it.
const (
	mapWidth  = 640.0
	mapHeight = 400.0
	mapMargin = 0.17 // of each side, around the places
	mapLeast  = 1.6  // degrees of latitude that it shows at least
)

// A chart is a map of places, as an SVG drawing's parts.
type chart struct {
	Land, Borders, Route string // paths
	Pins                 []pin
	Width, Height        float64
	Several              bool // more places than one
}

// A pin marks one place, or several that lie close together.
type pin struct {
	X, Y   float64
	Label  string
	Names  string
	Anchor string
}

// Wide is how wide a pin is, and Half of that, negative, where it begins.
func (p pin) Wide() int { return max(28, 14+9*utf8.RuneCountInString(p.Label)) }
func (p pin) Half() int { return -p.Wide() / 2 }

// drawChart draws places over the outlines of land, and the way that each thing
// took between them: indices into places. Nil when there is nothing to draw.
func drawChart(places []*place, ways map[string][]int) *chart {
	var at []spot
	for _, p := range places {
		if p.At != nil {
			at = append(at, *p.At)
		}
	}
	if len(at) == 0 {
		return nil
	}
	v := viewOf(at)
	c := &chart{Width: mapWidth, Height: mapHeight, Several: len(at) > 1}
	var coast, border path
	o := land()
	for _, shift := range []float64{-360, 0, 360} {
		for _, ring := range o.coasts {
			coast.ring(v, ring, shift)
		}
		for _, line := range o.borders {
			border.line(v, line, shift)
		}
	}
	c.Land, c.Borders = coast.String(), border.String()
	c.Pins = pins(v, places)
	var route path
	type leg struct{ from, to int }
	drawn := map[leg]bool{}
	for _, id := range slices.Sorted(maps.Keys(ways)) {
		way := ways[id]
		for i := 1; i < len(way); i++ {
			l := leg{way[i-1], way[i]}
			a, b := places[l.from], places[l.to]
			if a.At != nil && b.At != nil && a != b && !drawn[l] {
				drawn[l] = true
				route.bow(v.project(*a.At), v.project(*b.At))
			}
		}
	}
	c.Route = route.String()
	return c
}

// A view is a window on the earth, in an equirectangular projection that is true
// at its middle.
type view struct {
	west, north float64 // degrees of the upper left corner
	kx, ky      float64 // units of the map a degree
}

// viewOf gives the window that shows all places. Its left edge is chosen so that
// places on both sides of the date line stay together.
func viewOf(at []spot) view {
	east := make([]float64, len(at))
	for i, s := range at {
		east[i] = s.East
	}
	slices.Sort(east)
	start, widest := east[0], east[0]+360-east[len(east)-1]
	for i := 1; i < len(east); i++ {
		if gap := east[i] - east[i-1]; gap > widest {
			start, widest = east[i], gap
		}
	}
	span := 360 - widest
	south, north := at[0].North, at[0].North
	for _, s := range at {
		south, north = min(south, s.North), max(north, s.North)
	}
	middle := (south + north) / 2
	k := max(0.2, math.Cos(middle*math.Pi/180))
	room := 1 - 2*mapMargin
	ky := min(mapHeight*room/max(north-south, 0.01), mapWidth*room/max(span*k, 0.01), mapHeight/mapLeast)
	v := view{kx: ky * k, ky: ky}
	v.west = start + span/2 - mapWidth/2/v.kx
	v.north = middle + mapHeight/2/v.ky
	return v
}

type xy struct{ x, y float64 }

func (v view) at(s spot, shift float64) xy {
	return xy{(s.East + shift - v.west) * v.kx, (v.north - s.North) * v.ky}
}

// project puts a place into the window.
func (v view) project(s spot) xy {
	p := v.at(s, 0)
	for p.x < 0 && p.x+360*v.kx <= mapWidth {
		p.x += 360 * v.kx
	}
	for p.x > mapWidth && p.x-360*v.kx >= 0 {
		p.x -= 360 * v.kx
	}
	return p
}

// pins puts a numbered pin at each place; those that would cover each other
// share one.
func pins(v view, places []*place) (list []pin) {
	const near = 34.0 // the pins are drawn larger on a phone
	for _, p := range places {
		if p.At == nil {
			continue
		}
		at := v.project(*p.At)
		label := strconv.Itoa(p.Number)
		merged := false
		for i := range list {
			if math.Hypot(list[i].X-at.x, list[i].Y-at.y) < near {
				list[i].Label += "·" + label
				list[i].Names += ", " + p.Name
				list[i].X, list[i].Y = round((list[i].X+at.x)/2), round((list[i].Y+at.y)/2)
				merged = true
				break
			}
		}
		if !merged {
			list = append(list, pin{X: round(at.x), Y: round(at.y), Label: label, Names: p.Name, Anchor: p.Anchor})
		}
	}
	for i := range list {
		if n := strings.Count(list[i].Label, "·"); n > 1 {
			first, _, _ := strings.Cut(list[i].Label, "·")
			list[i].Label = first + "…" + list[i].Label[strings.LastIndex(list[i].Label, "·")+len("·"):]
		}
	}
	return list
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// path writes the d attribute of an SVG path.
type path struct{ strings.Builder }

func (b *path) to(op byte, p xy) {
	b.WriteByte(op)
	b.WriteString(strconv.FormatFloat(round(p.x), 'f', -1, 64))
	b.WriteByte(' ')
	b.WriteString(strconv.FormatFloat(round(p.y), 'f', -1, 64))
}

// ring adds a closed line, cut at the map's edges (Sutherland and Hodgman).
func (b *path) ring(v view, ring []spot, shift float64) {
	line := make([]xy, len(ring))
	for i, s := range ring {
		line[i] = v.at(s, shift)
	}
	const out = 4.0
	for _, edge := range []struct {
		inside func(xy) bool
		cross  func(a, b xy) xy
	}{
		{func(p xy) bool { return p.x >= -out }, func(p, q xy) xy { return atX(p, q, -out) }},
		{func(p xy) bool { return p.x <= mapWidth+out }, func(p, q xy) xy { return atX(p, q, mapWidth+out) }},
		{func(p xy) bool { return p.y >= -out }, func(p, q xy) xy { return atY(p, q, -out) }},
		{func(p xy) bool { return p.y <= mapHeight+out }, func(p, q xy) xy { return atY(p, q, mapHeight+out) }},
	} {
		var kept []xy
		for i, p := range line {
			last := line[(i+len(line)-1)%len(line)]
			if edge.inside(p) != edge.inside(last) {
				kept = append(kept, edge.cross(last, p))
			}
			if edge.inside(p) {
				kept = append(kept, p)
			}
		}
		if line = kept; len(line) == 0 {
			return
		}
	}
	b.coast(thinned(line))
}

// thinned leaves out points that nobody could tell apart.
func thinned(line []xy) []xy {
	kept := line[:1]
	for _, p := range line[1:] {
		if last := kept[len(kept)-1]; math.Abs(p.x-last.x)+math.Abs(p.y-last.y) >= 0.7 {
			kept = append(kept, p)
		}
	}
	if len(kept) > 1 && kept[0] == kept[len(kept)-1] {
		kept = kept[:len(kept)-1]
	}
	return kept
}

// coast adds a closed line whose corners are rounded, but for those at the map's
// edges.
func (b *path) coast(line []xy) {
	const most = 11.0 // units that a corner gives up at either side
	toward := func(p, q xy) xy {
		k := min(0.5, most/max(math.Hypot(q.x-p.x, q.y-p.y), 0.1))
		return xy{p.x + (q.x-p.x)*k, p.y + (q.y-p.y)*k}
	}
	op := byte('M')
	for i, p := range line {
		if p.x <= 0 || p.y <= 0 || p.x >= mapWidth || p.y >= mapHeight {
			b.to(op, p)
		} else {
			b.to(op, toward(p, line[(i+len(line)-1)%len(line)]))
			b.to('Q', p)
			b.to(' ', toward(p, line[(i+1)%len(line)]))
		}
		op = 'L'
	}
	b.WriteByte('Z')
}

func atX(a, b xy, x float64) xy { return xy{x, a.y + (b.y-a.y)*(x-a.x)/(b.x-a.x)} }
func atY(a, b xy, y float64) xy { return xy{a.x + (b.x-a.x)*(y-a.y)/(b.y-a.y), y} }

// line adds an open line; the drawing itself hides what is beyond its edges.
func (b *path) line(v view, line []spot, shift float64) {
	drawn := false
	for i := 1; i < len(line); i++ {
		p, q := v.at(line[i-1], shift), v.at(line[i], shift)
		if max(p.x, q.x) < 0 || min(p.x, q.x) > mapWidth || max(p.y, q.y) < 0 || min(p.y, q.y) > mapHeight {
			drawn = false
			continue
		}
		if !drawn {
			b.to('M', p)
		}
		b.to('L', q)
		drawn = true
	}
}

// bow adds a slightly bent line from a to b.
func (b *path) bow(p, q xy) {
	if math.Hypot(q.x-p.x, q.y-p.y) < 8 {
		return
	}
	b.to('M', p)
	b.to('Q', xy{(p.x+q.x)/2 + (q.y-p.y)*0.14, (p.y+q.y)/2 - (q.x-p.x)*0.14})
	b.to(' ', q)
}

// ViewBox is the drawing's.
func (c *chart) ViewBox() template.HTMLAttr {
	return template.HTMLAttr(`viewBox="0 0 ` + strconv.FormatFloat(c.Width, 'f', -1, 64) + " " + strconv.FormatFloat(c.Height, 'f', -1, 64) + `"`)
}
