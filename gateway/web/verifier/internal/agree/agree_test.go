// Package agree holds the browser's reading of JSON, of GS1 identifiers and of the
// keys of entries against Go's: both answer the same thousands of cases, made and
// mutated from a fixed seed, and every answer must be the same.
//
// For a longer search: go test ./gateway/web/verifier/internal/agree -cases 1000000 -seed 7
package agree

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/gateway/web/verifier/internal/bundle"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

var (
	number = flag.Int("cases", 10_000, "how many `cases` of each sort are made")
	seed   = flag.Uint64("seed", 1, "what they are made from")
)

func generator() *rand.Rand { return rand.New(rand.NewPCG(*seed, 0)) }

// cases is the file of cases with Go's answers.
type cases struct {
	t    *testing.T
	file *os.File
	w    *bufio.Writer
}

func newCases(t *testing.T) *cases {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "cases"))
	if err != nil {
		t.Fatal(err)
	}
	return &cases{t, file, bufio.NewWriter(file)}
}

// oneCase is one line: what is asked, and Go's answer.
type oneCase struct {
	What         string   `json:"what"`
	ID           string   `json:"id"`
	Bytes        []byte   `json:"bytes"`
	Participants []string `json:"participants"`
	Answer       any      `json:"answer"`
}

func (c *cases) add(line oneCase) {
	c.t.Helper()
	b, err := json.Marshal(line)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.w.Write(append(b, '\n')); err != nil {
		c.t.Fatal(err)
	}
}

type identifierAnswer struct {
	Canonical *string  `json:"canonical"`
	Names     []string `json:"names"`
}

func (c *cases) identifier(id string) identifierAnswer {
	c.t.Helper()
	answer := identifierAnswer{Names: gs1.Identifiers(id)}
	if canonical, err := gs1.Canonical(id); err == nil {
		answer.Canonical = &canonical
	}
	c.add(oneCase{What: "identifier", ID: id, Answer: answer})
	return answer
}

type jsonAnswer struct {
	Canonical   *string `json:"canonical"`
	IsCanonical bool    `json:"isCanonical"`
}

func (c *cases) json(b []byte) jsonAnswer {
	c.t.Helper()
	var answer jsonAnswer
	if v, err := jcs.Parse(b); err == nil {
		canonical := string(v.Canonical())
		answer.Canonical = &canonical
	}
	_, err := jcs.ParseCanonical(b)
	answer.IsCanonical = err == nil
	c.add(oneCase{What: "json", Bytes: append([]byte{}, b...), Answer: answer}) // never null
	return answer
}

type keyAnswer struct {
	Kind uint8  `json:"kind"`
	ID   string `json:"id"`
	Hash string `json:"hash"`
}

func (c *cases) keys(v jcs.Value, participants ...string) []keyAnswer {
	c.t.Helper()
	answer := []keyAnswer{}
	for _, k := range historyindex.Keys(&entry.Entry{Participants: participants, JSON: v}) {
		hash := k.Hash()
		answer = append(answer, keyAnswer{uint8(k.Kind), k.Identifier, hex.EncodeToString(hash[:])})
	}
	c.add(oneCase{What: "keys", Bytes: v.Canonical(), Participants: participants, Answer: answer})
	return answer
}

// run has TypeScript answer all of them.
func (c *cases) run() {
	c.t.Helper()
	if err := errors.Join(c.w.Flush(), c.file.Close()); err != nil {
		c.t.Fatal(err)
	}
	const folder = "../.."
	node, err := exec.LookPath("node")
	if err == nil {
		err = bundle.Ready(folder)
	}
	if err != nil && os.Getenv("TALLYROOT_TEST_ALL") != "" {
		c.t.Fatal(err)
	} else if err != nil {
		c.t.Skip(err)
	}
	code, err := bundle.ForNode(folder, "test/agree.ts")
	if err != nil {
		c.t.Fatal(err)
	}
	script := filepath.Join(c.t.TempDir(), "agree.mjs")
	if err := os.WriteFile(script, code, 0o600); err != nil {
		c.t.Fatal(err)
	}
	out, err := exec.CommandContext(c.t.Context(), node, script, c.file.Name()).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	c.t.Logf("%s", out)
}
