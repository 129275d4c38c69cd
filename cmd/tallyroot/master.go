package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/urfave/cli/v2"
)

// maxPicture bounds a picture of which a digest is made.
const maxPicture = 64 << 20

func productCommand() *cli.Command {
	return &cli.Command{
		Name:  "product",
		Usage: "say what a product is called",
		Description: "Example:\n" +
			"  tallyroot product set 09506000134352 --name \"Jonagold apples\" --token-file hillside.token",
		Subcommands: []*cli.Command{{
			Name:      "set",
			Usage:     "say what an identifier stands for",
			ArgsUsage: "IDENTIFIER",
			Description: "Logs a statement with the product's name and more; the newest one holds, and product\n" +
				"pages show it. IDENTIFIER is a GTIN, a GS1 Digital Link, an EPC URN or another URI that\n" +
				"the participant's grant covers. A lot without a statement of its own has its GTIN's.\n\n" +
				"Examples:\n" +
				"  tallyroot product set 09506000134352 --name \"Jonagold apples\" --brand Hillside --token-file hillside.token\n" +
				"  tallyroot product set https://id.gs1.org/01/09506000134352/10/LOT-7 --name \"Jonagold, early\" \\\n" +
				"    --picture apples.jpg --picture-link https://hillside.example/apples.jpg --token-file hillside.token",
			Flags: readFlags(append(signFlags(),
				&cli.StringFlag{Name: "name", Usage: "what it is called"},
				&cli.StringFlag{Name: "brand", Usage: "its brand"},
				&cli.StringFlag{Name: "description", Usage: "a few sentences"},
				&cli.StringFlag{Name: "picture", Usage: "the picture's `FILE`: its digest is logged, it is not sent", TakesFile: true},
				&cli.StringFlag{Name: "picture-link", Usage: "where the picture lies, as `URL`"},
			)...),
			Action: productSet,
		}},
	}
}

func placeCommand() *cli.Command {
	return &cli.Command{
		Name:  "place",
		Usage: "say what a place is called and where it is",
		Description: "Example:\n" +
			"  tallyroot place set 9506000134383 --name \"Hillside, cold store\" --token-file hillside.token",
		Subcommands: []*cli.Command{{
			Name:      "set",
			Usage:     "say what a place is called and where it is",
			ArgsUsage: "IDENTIFIER",
			Description: "Logs a statement with the place's name and coordinates; the newest one holds, and\n" +
				"product pages show it. IDENTIFIER is a GLN, a GS1 Digital Link, an EPC URN or another URI\n" +
				"that the participant's grant covers.\n\n" +
				"Example:\n" +
				"  tallyroot place set 9506000134383 --name \"Hillside, cold store\" --address \"Karlsruhe, Germany\" \\\n" +
				"    --latitude 49.0069 --longitude 8.4037 --token-file hillside.token",
			Flags: readFlags(append(signFlags(),
				&cli.StringFlag{Name: "name", Usage: "what it is called"},
				&cli.StringFlag{Name: "address", Usage: "where it is, in words"},
				&cli.StringFlag{Name: "latitude", Usage: "`DEGREES` north (WGS 84), -90 to 90"},
				&cli.StringFlag{Name: "longitude", Usage: "`DEGREES` east (WGS 84), -180 to 180"},
			)...),
			Action: placeSet,
		}},
	}
}

// signFlags are for commands that may sign with the participant's own key.
func signFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "key", Usage: "sign with the private key in `FILE`, which `tallyroot key generate` made", TakesFile: true},
		&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`, to sign for; by default the service's checkpoint says it"},
	}
}

func productSet(c *cli.Context) error {
	id, err := described(c, "01", 14)
	if err != nil {
		return err
	}
	p := participant.Product{Identifier: id, Number: 1, Name: c.String("name"), Brand: c.String("brand"), Description: c.String("description")}
	file, link := c.String("picture"), c.String("picture-link")
	if (file == "") != (link == "") {
		return usagef("a picture needs both: --picture FILE, of which the digest is made, and --picture-link URL, where it lies")
	}
	if file != "" {
		picture, err := readSmallFile(file, maxPicture)
		if err != nil {
			return err
		}
		p.Picture = &participant.Picture{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(picture)), Link: link}
	}
	statement := p.JSON()
	if _, err := participant.ParseProduct(statement); err != nil {
		return usageError{err}
	}
	return setMaster(c, statement)
}

func placeSet(c *cli.Context) error {
	id, err := described(c, "414", 13)
	if err != nil {
		return err
	}
	p := participant.Place{Identifier: id, Number: 1, Name: c.String("name"), Address: c.String("address")}
	if p.Latitude, err = degrees(c, "latitude"); err != nil {
		return err
	}
	if p.Longitude, err = degrees(c, "longitude"); err != nil {
		return err
	}
	statement := p.JSON()
	if _, err := participant.ParsePlace(statement); err != nil {
		return usageError{err}
	}
	return setMaster(c, statement)
}

// described is the identifier in canonical form. Digits alone stand for the
// application identifier ai, padded to its length: people have a GTIN or a GLN.
func described(c *cli.Context, ai string, length int) (string, error) {
	args, err := arguments(c, "IDENTIFIER")
	if err != nil {
		return "", err
	}
	if c.String("name") == "" {
		return "", usagef("%s needs --name: what people call it", c.Command.HelpName)
	}
	id := args[0]
	if id != "" && len(id) <= length && strings.Trim(id, "0123456789") == "" {
		id = "https://id.gs1.org/" + ai + "/" + strings.Repeat("0", length-len(id)) + id
	}
	canonical, err := gs1.Canonical(id)
	if err != nil {
		return "", usageError{err}
	}
	return canonical, nil
}

func degrees(c *cli.Context, flag string) (*float64, error) {
	text := c.String(flag)
	if text == "" {
		return nil, nil
	}
	d, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, usagef("--%s %q is no number of degrees such as 49.0069", flag, text)
	}
	return &d, nil
}

// setMaster logs a product or place statement. The service numbers what it
// signs; what is signed here is numbered here.
func setMaster(c *cli.Context, statement jcs.Value) error {
	cl, err := connect(c, true)
	if err != nil {
		return err
	}
	s := &sender{client: cl}
	if file := c.String("key"); file != "" {
		if s.signer, err = newSigner(c.Context, cl, file, c.String("origin")); err != nil {
			return err
		}
		number, err := nextNumber(c, cl, statement, s.signer.participant)
		if err != nil {
			return err
		}
		statement = statement.With("number", jcs.NewNumber(float64(number)))
	} else {
		statement = statement.Without("number")
	}
	result, err := s.sendOne(c.Context, statement)
	if err != nil {
		return err
	}
	if refused := result.Refusal(); refused != nil {
		return refused
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, result)
	}
	where := "it stands in the log soon"
	if result.Index != nil {
		where = fmt.Sprintf("index %d", uint64(*result.Index))
	}
	fmt.Printf("%s is %q (%s)\n", member(statement, "identifier"), member(statement, "name"), where)
	return nil
}

// nextNumber is the number behind the participant's newest statement of this
// type about the same identifier.
func nextNumber(c *cli.Context, cl *client.Client, statement jcs.Value, by string) (uint64, error) {
	last := uint64(0)
	asked := historyindex.Key{Kind: historyindex.Master, Identifier: member(statement, "identifier")}
	err := eachPage(c.Context, cl, asked, func(_ []byte, page *history.History) error {
		for _, h := range page.Entries {
			e, err := entry.Parse(h.Entry)
			if err != nil {
				return fmt.Errorf("entry %d: %w", h.Index, err)
			}
			if number, ok := e.JSON.Get("number"); ok && e.Type() == member(statement, "type") && e.Participants[0] == by {
				last = max(last, uint64(number.Float()))
			}
		}
		return nil
	})
	return last + 1, err
}
