// Package qr draws a link as the QR code that GS1 asks for on consumer goods:
// error correction M, a quiet zone of four modules on each side, and modules of
// 0.495 mm (GS1 General Specifications 5.12.3, symbol specification tables 1 and
// 3: at least 0.396 mm, at most 0.990 mm).
//
// The same link gives the same bytes. A drawing names no font and asks nothing of
// any server.
package qr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

const (
	moduleMM  = 0.495 // the target X-dimension
	quietZone = 4     // modules, on each side
	// pixels of a module in a PNG; at dotsPerMeter one is moduleMM wide.
	pixels       = 8
	dotsPerMeter = pixels * 1000_000 / 495
)

// MaxLink is the longest link that is drawn, in bytes: beyond it a code becomes
// too dense for a phone at the size of a label.
const MaxLink = 512

// ErrTooLong says that a link does not fit a code that a phone can read.
var ErrTooLong = errors.New("the link is too long for a QR code on a label")

// code gives the modules without a quiet zone; true is dark.
func code(link string) (modules [][]bool, err error) {
	if len(link) > MaxLink {
		return nil, fmt.Errorf("%w: it has %d bytes; the limit is %d", ErrTooLong, len(link), MaxLink)
	}
	c, err := qrcode.New(link, qrcode.Medium)
	if err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	c.DisableBorder = true
	return c.Bitmap(), nil
}

// PNG draws the link, eight pixels a module, with the resolution that makes it
// the right size in print.
func PNG(link string) ([]byte, error) {
	c, err := qrcode.New(link, qrcode.Medium)
	if err != nil || len(link) > MaxLink {
		_, err = code(link)
		return nil, err
	}
	// A negative size is pixels a module; go-qrcode's own border is four wide.
	picture, err := c.PNG(-pixels)
	if err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	return withResolution(picture), nil
}

// withResolution puts a pHYs chunk (PNG specification 11.3.5.3) behind the
// header of a PNG.
func withResolution(picture []byte) []byte {
	const header = 8 + 4 + 4 + 13 + 4 // signature, and the chunk IHDR
	chunk := binary.BigEndian.AppendUint32([]byte("pHYs"), dotsPerMeter)
	chunk = binary.BigEndian.AppendUint32(chunk, dotsPerMeter)
	chunk = append(chunk, 1) // the unit is the meter
	out := bytes.Clone(picture[:header])
	out = binary.BigEndian.AppendUint32(out, uint32(len(chunk)-4))
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	return append(out, picture[header:]...)
}

// SVG draws the link in millimetres, as one path of dark runs on white.
func SVG(link string) ([]byte, error) {
	modules, err := code(link)
	if err != nil {
		return nil, err
	}
	side := len(modules) + 2*quietZone
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.2fmm" height="%.2fmm" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img">`,
		float64(side)*moduleMM, float64(side)*moduleMM, side, side)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><path d="`, side, side)
	for y, row := range modules {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			end := x
			for end < len(row) && row[end] {
				end++
			}
			fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quietZone, y+quietZone, end-x, end-x)
			x = end
		}
	}
	b.WriteString(`" fill="#000"/></svg>` + "\n")
	return b.Bytes(), nil
}

// Text draws the link for a terminal: two modules a character, one above the
// other, dark on a light ground whatever the terminal's own colours are.
func Text(link string) (string, error) { return draw(link, "\x1b[30;107m", "\x1b[0m") } // black on bright white

// Plain is Text without a terminal's colours, for a file: dark modules are ink.
func Plain(link string) (string, error) { return draw(link, "", "") }

// draw puts before and after around each line.
func draw(link, before, after string) (string, error) {
	modules, err := code(link)
	if err != nil {
		return "", err
	}
	dark := func(y, x int) bool {
		y, x = y-quietZone, x-quietZone
		return y >= 0 && y < len(modules) && x >= 0 && x < len(modules) && modules[y][x]
	}
	side := len(modules) + 2*quietZone
	var b strings.Builder
	for y := 0; y < side; y += 2 {
		b.WriteString(before)
		for x := range side {
			switch upper, lower := dark(y, x), dark(y+1, x); {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString(after + "\n")
	}
	return b.String(), nil
}
