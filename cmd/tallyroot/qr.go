package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/skip2/go-qrcode"
	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/urfave/cli/v2"
)

func qrCommand() *cli.Command {
	return &cli.Command{
		Name:      "qr",
		Usage:     "make the QR code of a product",
		ArgsUsage: "ID",
		Description: "ID is a GS1 Digital Link or an EPC URN. The code holds the Digital Link on the service's\n" +
			"own domain, so one code serves the shop's scanner and the shopper. Without --out it is\n" +
			"drawn in the terminal; a file is PNG or SVG, as its name ends.\n\n" +
			"Examples:\n" +
			"  tallyroot qr https://id.gs1.org/01/09506000134352/10/LOT-7\n" +
			"  tallyroot qr https://id.gs1.org/01/09506000134352/10/LOT-7 --out lot-7.svg --server https://trace.example.org",
		Flags: readFlags(
			&cli.StringFlag{Name: "out", Usage: "write the code into `FILE`, .png or .svg", TakesFile: true},
			&cli.StringFlag{Name: "public-url", Usage: "for the terminal: the `URL` under which shoppers reach the service; by default --server"},
		),
		Action: qr,
	}
}

func qr(c *cli.Context) error {
	args, err := arguments(c, "ID")
	if err != nil {
		return err
	}
	canonical, err := gs1.Canonical(args[0])
	if err != nil {
		return usageError{err}
	}
	if !gs1.IsGS1(canonical) {
		return usagef("%s is no GS1 identifier, and a product's QR code holds one: give a Digital Link such as https://id.gs1.org/01/09506000134352 or an EPC URN", args[0])
	}
	cl, err := connect(c, false)
	if err != nil {
		return err
	}
	if out := c.String("out"); out != "" {
		return saveQR(c, cl, canonical, out)
	}
	base := c.String("public-url")
	if base == "" {
		base = cl.Server()
	}
	link := linkAt(base, canonical)
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			ID   string `json:"id"`
			Link string `json:"link"`
		}{canonical, link})
	}
	picture, err := terminalQR(link)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s\n", picture, link)
	return nil
}

// saveQR asks the service for the code: it knows under which name shoppers
// reach it.
func saveQR(c *cli.Context, cl *client.Client, id, out string) error {
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(out), "."))
	if format != "png" && format != "svg" {
		return usagef("--out %s: the file's name ends in .png or .svg", out)
	}
	resp, err := cl.Do(c.Context, client.Request{Method: http.MethodGet, Path: "/qr", Query: url.Values{"id": {id}, "format": {format}}})
	if err != nil {
		return err
	}
	if err := writeFile(out, resp.Body); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			ID   string `json:"id"`
			File string `json:"file"`
		}{id, out})
	}
	fmt.Printf("%s: the code of %s\n", out, id)
	return nil
}

// linkAt is the canonical identifier as a Digital Link on another domain.
func linkAt(base, canonical string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(canonical, "https://"), "/")
	return strings.TrimSuffix(base, "/") + "/" + path
}

// terminalQR draws a QR code with half blocks, two modules to a character. The
// colours are set, so that it is dark on light in every terminal.
func terminalQR(text string) (string, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return "", fmt.Errorf("%s does not fit into a QR code: %w", text, err)
	}
	bitmap := code.Bitmap() // true is dark; with the quiet zone of four modules
	var b strings.Builder
	for y := 0; y < len(bitmap); y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := range bitmap[y] {
			top, bottom := bitmap[y][x], y+1 < len(bitmap) && bitmap[y+1][x]
			b.WriteString([]string{" ", "▄", "▀", "█"}[2*digit(top)+digit(bottom)])
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String(), nil
}

func digit(b bool) int {
	if b {
		return 1
	}
	return 0
}
