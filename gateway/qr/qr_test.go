package qr

import (
	"bytes"
	"encoding/xml"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
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
		if lines := strings.Count(text, "\n"); lines != (side+1)/2 {
			t.Errorf("%d lines of text for %d modules", lines, side)
		}
		svg, err := SVG(link)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(svg, new(struct{})); err != nil {
			t.Errorf("the SVG is no XML: %v", err)
		}
	}
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
