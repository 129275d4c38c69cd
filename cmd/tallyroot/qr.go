package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/gateway/qr"
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
			"drawn in the terminal; a file is PNG or SVG, as its name ends, in the size that GS1 asks\n" +
			"for in print.\n\n" +
			"With --public-url no service is asked. Without it, a file is the service's own drawing,\n" +
			"which knows the address that shoppers use; the terminal's leads to --server.\n\n" +
			"Examples:\n" +
			"  tallyroot qr https://id.gs1.org/01/09506000134352/10/LOT-7\n" +
			"  tallyroot qr https://id.gs1.org/01/09506000134352/10/LOT-7 --out lot-7.svg --public-url https://trace.example.org",
		Flags: readFlags(
			&cli.StringFlag{Name: "out", Usage: "write the code into `FILE`, .png or .svg", TakesFile: true},
			&cli.StringFlag{Name: "public-url", Usage: "the `URL` under which shoppers reach the service"},
		),
		Action: makeQR,
	}
}

func makeQR(c *cli.Context) error {
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
	out := c.String("out")
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(out), "."))
	if out != "" && format != "png" && format != "svg" {
		return usagef("--out %s: the file's name ends in .png or .svg", out)
	}
	base, err := checkPublicURL(c.String("public-url"))
	if err != nil {
		return err
	}
	var cl *client.Client
	if base == "" {
		if cl, err = connect(c, false); err != nil {
			return err
		}
	}
	var picture []byte
	var link string
	if cl != nil && out != "" {
		picture, err = servedQR(c, cl, canonical, format)
	} else {
		if cl != nil {
			base = cl.Server()
		}
		link = linkAt(base, canonical)
		picture, err = drawQR(link, format)
	}
	if err != nil {
		return err
	}
	if out != "" {
		if err := writeFile(out, picture); err != nil {
			return err
		}
	}
	switch {
	case c.Bool("json"):
		return printJSON(os.Stdout, struct {
			ID   string `json:"id"`
			Link string `json:"link,omitempty"` // unknown of the service's drawing
			File string `json:"file,omitempty"`
		}{canonical, link, out})
	case out != "":
		fmt.Printf("%s: the code of %s\n", out, canonical)
	default:
		fmt.Printf("%s\n%s\n", picture, link)
	}
	return nil
}

// servedQR asks the service for the code.
func servedQR(c *cli.Context, cl *client.Client, id, format string) ([]byte, error) {
	resp, err := cl.Do(c.Context, client.Request{Method: http.MethodGet, Path: "/qr", Query: url.Values{"id": {id}, "format": {format}}})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// drawQR draws a link as png, svg, or, as "", for a terminal.
func drawQR(link, format string) ([]byte, error) {
	switch format {
	case "png":
		return qr.PNG(link)
	case "svg":
		return qr.SVG(link)
	}
	text, err := qr.Text(link)
	return []byte(text), err
}

// linkAt is the canonical identifier as a Digital Link on another domain.
func linkAt(base, canonical string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(canonical, "https://"), "/")
	return strings.TrimSuffix(base, "/") + "/" + path
}
