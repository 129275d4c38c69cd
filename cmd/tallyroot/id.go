package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/urfave/cli/v2"
)

// maxIDLine is how long a line of standard input may be.
const maxIDLine = 1 << 16

func idCommand() *cli.Command {
	return &cli.Command{
		Name:      "id",
		Usage:     "say what an identifier is in its canonical form",
		ArgsUsage: "URI…|-",
		Description: "Reads GS1 Digital Links, EPC URNs, class URNs and other URIs, from the command line or\n" +
			"(-) one a line from standard input, and prints a line of JSON for each:\n" +
			"  input      what was read\n" +
			"  canonical  the form in which the log compares and indexes it; null when it has none\n" +
			"  elements   its GS1 Application Identifiers with their values, empty for other URIs\n" +
			"  urn        the EPC URN; from a Digital Link only with --gcp-length; else null\n" +
			"  error      what is wrong and what would be right, else null\n" +
			"It asks no service. It ends with 1 when any line has an error.\n\n" +
			"Examples:\n" +
			"  tallyroot id https://shop.example/01/09506000134352/10/LOT-7\n" +
			"  tallyroot id --gcp-length 7 https://id.gs1.org/01/09506000134352/21/2017\n" +
			"  tallyroot id - < identifiers.txt",
		Flags: []cli.Flag{
			&cli.IntFlag{
				Name:  "gcp-length",
				Usage: "write EPC URNs for a GS1 Company Prefix of `N` digits, 6 to 12",
			},
			&cli.BoolFlag{Name: "json", Usage: "print JSON, which this command always does", Category: categoryOutput},
		},
		Action: func(c *cli.Context) error {
			uris, err := manyArguments(c, "URI")
			if err != nil {
				return err
			}
			length := 0
			if c.IsSet("gcp-length") {
				if length = c.Int("gcp-length"); length < 1 {
					return usagef("--gcp-length: a GS1 Company Prefix has %d to %d digits, not %d", gs1.MinCompanyPrefix, gs1.MaxCompanyPrefix, length)
				}
			}
			return runID(uris, os.Stdin, os.Stdout, length)
		},
	}
}

// identified is one line of the answer.
type identified struct {
	Input     string      `json:"input"`
	Canonical *string     `json:"canonical"`
	Elements  [][2]string `json:"elements"`
	URN       *string     `json:"urn"`
	Error     *string     `json:"error"`
}

// runID answers for each URI, and for each line of in where one of them is "-". companyPrefix is 0
// where no URN is wanted for a Digital Link. It gives a silentError when any answer has an error.
func runID(uris []string, in io.Reader, out io.Writer, companyPrefix int) error {
	w := bufio.NewWriter(out)
	failed := false
	answer := func(uri string) error {
		a := identify(uri, companyPrefix)
		failed = failed || a.Error != nil
		return printJSONLine(w, a)
	}
	for _, uri := range uris {
		if uri != "-" {
			if err := answer(uri); err != nil {
				return err
			}
			continue
		}
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxIDLine)
		for n := 1; lines.Scan(); n++ {
			if lines.Text() == "" {
				continue
			}
			if err := answer(lines.Text()); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				err = fmt.Errorf("a line is longer than %d bytes; write one identifier a line", maxIDLine)
			}
			return errors.Join(fmt.Errorf("read standard input: %w", err), w.Flush())
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if failed {
		return silentError{}
	}
	return nil
}

func identify(uri string, companyPrefix int) identified {
	a := identified{Input: uri, Elements: [][2]string{}}
	fail := func(text string) identified {
		a.Error = &text
		return a
	}
	canonical, warning, err := gs1.Examine(uri)
	if err != nil {
		return fail(err.Error())
	}
	a.Canonical = &canonical
	if warning != "" {
		return fail(warning)
	}
	if !gs1.IsGS1(canonical) {
		if companyPrefix != 0 {
			return fail("is no GS1 identifier, so it has no EPC URN; leave out --gcp-length to see its canonical form")
		}
		return a
	}
	link, err := gs1.ParseLink(uri)
	if err != nil {
		link, err = gs1.ParseURN(uri)
	}
	if err != nil {
		return fail(err.Error())
	}
	for _, e := range link.Elements {
		a.Elements = append(a.Elements, [2]string{e.AI, e.Value})
	}
	if companyPrefix != 0 && (companyPrefix < gs1.MinCompanyPrefix || companyPrefix > gs1.MaxCompanyPrefix) {
		return fail(fmt.Sprintf("has no EPC URN with --gcp-length %d: a GS1 Company Prefix has %d to %d digits", companyPrefix, gs1.MinCompanyPrefix, gs1.MaxCompanyPrefix))
	}
	if own := gs1.CompanyPrefixLength(uri); own != 0 {
		companyPrefix = own
	}
	if companyPrefix == 0 {
		return a
	}
	urn, err := link.URN(companyPrefix)
	if err != nil {
		return fail(err.Error())
	}
	a.URN = &urn
	return a
}
