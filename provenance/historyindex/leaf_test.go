package historyindex_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

const leafText = "tallyroot/index/v1\n" +
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" +
	"log.example/one\n" +
	"12\n" +
	"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

func TestLeaf(t *testing.T) {
	leaf := historyindex.Leaf{
		MapRoot:    historyindex.EmptyMapRoot(),
		Checkpoint: checkpoint.Checkpoint{Origin: "log.example/one", Size: 12, Root: historyindex.Hash{1}},
	}
	if leaf.String() != leafText {
		t.Errorf("got %q", leaf.String())
	}
	if back, err := historyindex.ParseLeaf([]byte(leafText)); err != nil || back != leaf {
		t.Errorf("got %+v, %v", back, err)
	}
	longest := historyindex.Leaf{Checkpoint: checkpoint.Checkpoint{Origin: strings.Repeat("o", checkpoint.MaxOriginSize), Size: 1<<64 - 1}}
	if text := longest.String(); len(text) != historyindex.MaxLeafSize {
		t.Errorf("the longest leaf has %d bytes, not %d", len(text), historyindex.MaxLeafSize)
	} else if _, err := historyindex.ParseLeaf([]byte(text)); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]string{
		"empty":            "",
		"another version":  strings.Replace(leafText, "/v1", "/v2", 1),
		"cut off":          leafText[:len(leafText)-1],
		"goes on":          leafText + "\n",
		"carriage returns": strings.ReplaceAll(leafText, "\n", "\r\n"),
		"upper-case root":  strings.Replace(leafText, "e3b0c4", "E3B0C4", 1),
		"short root":       strings.Replace(leafText, "e3b0c4", "b0c4", 1),
		"long root":        strings.Replace(leafText, "e3b0c4", "00e3b0c4", 1),
		"no root":          strings.Replace(leafText, "e3b0c4", "zzzzzz", 1),
		"leading zero":     strings.Replace(leafText, "\n12\n", "\n012\n", 1),
		"base64":           strings.Replace(leafText, "AAA=", "AAB=", 1),
		"too long":         strings.Replace(leafText, "log.example", strings.Repeat("o", 400), 1),
	} {
		if _, err := historyindex.ParseLeaf([]byte(bad)); !errors.Is(err, historyindex.ErrLeafForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseLeaf(f *testing.F) {
	f.Add([]byte(leafText))
	f.Add([]byte("tallyroot/index/v1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		leaf, err := historyindex.ParseLeaf(text)
		if err != nil {
			return
		}
		if leaf.String() != string(text) {
			t.Errorf("%q becomes %q", text, leaf.String())
		}
	})
}
