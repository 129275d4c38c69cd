package qr

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var links = []string{
	"https://id.example.com/01/09506000134352",
	"https://id.example.com/01/09506000134352/10/LOT-7/21/12345678",
	"http://127.0.0.1:8080/00/095060001343520000",
	"https://id.example.com/01/09506000134352/21/" + strings.Repeat("%2F", 150),
}

// TestScanned reads the pictures with another program's eyes.
func TestScanned(t *testing.T) {
	zbar, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("zbarimg is not installed (Debian: zbar-tools)")
	}
	for _, link := range links {
		picture, err := PNG(link)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "code.png")
		if err := os.WriteFile(path, picture, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(zbar, "--quiet", "--raw", path).Output()
		if err != nil || strings.TrimSpace(string(out)) != link {
			t.Errorf("%s is read as %q, %v", link, out, err)
		}
	}
}

// TestFormsAgree holds PNG, SVG and text against the same modules, and the quiet
// zone against GS1's four modules.
func TestFormsAgree(t *testing.T) {
	for _, link := range links {
		modules, err := code(link)
		if err != nil {
			t.Fatal(err)
		}
		side := len(modules) + 2*quietZone
		want := make([][]bool, side)
		for y := range want {
			want[y] = make([]bool, side)
			for x := range want[y] {
				if y >= quietZone && x >= quietZone && y < side-quietZone && x < side-quietZone {
					want[y][x] = modules[y-quietZone][x-quietZone]
				}
			}
		}
		picture, err := PNG(link)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(picture))
		if err != nil {
			t.Fatal(err)
		}
		if got := img.Bounds().Dx(); got != side*pixels {
			t.Fatalf("the PNG is %d pixels wide, want %d", got, side*pixels)
		}
		for y := range side {
			for x := range side {
				r, _, _, _ := img.At(x*pixels+pixels/2, y*pixels+pixels/2).RGBA()
				if dark := r == 0; dark != want[y][x] {
					t.Fatalf("%s: module %d,%d differs in the PNG", link, x, y)
				}
			}
		}
		text, err := Text(link)
		if err != nil {
			t.Fatal(err)
		}
		if got := ofText(text, side); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: the text shows other modules", link)
		}
		svg, err := SVG(link)
		if err != nil {
			t.Fatal(err)
		}
		if got := ofSVG(t, svg, side); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: the SVG shows other modules", link)
		}
	}
}

func blank(side int) [][]bool {
	modules := make([][]bool, side)
	for y := range modules {
		modules[y] = make([]bool, side)
	}
	return modules
}

// ofText reads modules back from half blocks, two rows a line.
func ofText(text string, side int) [][]bool {
	modules := append(blank(side), make([]bool, side)) // the last line may have one row too many
	text = strings.NewReplacer("\x1b[30;107m", "", "\x1b[0m", "").Replace(text)
	for y, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		for x, block := range []rune(line) {
			modules[2*y][x] = block == '█' || block == '▀'
			modules[2*y+1][x] = block == '█' || block == '▄'
		}
	}
	return modules[:side]
}

// ofSVG reads modules back from the runs of the drawing's one path.
func ofSVG(t *testing.T, svg []byte, side int) [][]bool {
	t.Helper()
	var drawing struct {
		ViewBox string `xml:"viewBox,attr"`
		Path    struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &drawing); err != nil {
		t.Fatalf("the SVG is no XML: %v", err)
	}
	if want := fmt.Sprintf("0 0 %d %d", side, side); drawing.ViewBox != want {
		t.Fatalf("the SVG shows %q, want %q", drawing.ViewBox, want)
	}
	modules := blank(side)
	for run := range strings.SplitSeq(strings.TrimSuffix(drawing.Path.D, "z"), "z") {
		var x, y, width, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &width, &back); err != nil || width != back {
			t.Fatalf("odd run %q: %v", run, err)
		}
		for i := range width {
			modules[y][x+i] = true
		}
	}
	return modules
}

func TestTooLong(t *testing.T) {
	link := "https://id.example.com/" + strings.Repeat("x", MaxLink)
	for name, draw := range map[string]func(string) ([]byte, error){"PNG": PNG, "SVG": SVG} {
		if _, err := draw(link); err == nil || !strings.Contains(err.Error(), "limit is 512") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := draw(link[:MaxLink]); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
	}
}
