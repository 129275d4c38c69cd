package gs1

import (
	"slices"
	"strings"
	"testing"
)

// Compressed links that GS1's own prototype (GS1DigitalLinkCompressionPrototype) gives as examples;
// the second also holds a parameter that is no AI.
func TestDecompressPublished(t *testing.T) {
	for _, uri := range []string{
		"http://example.org/AQnYUc1gmiERBhQ0ytiyZuAGOLc1TQ",
		"http://example.org/AQnYUc1gmiERBhQ0ytiyZuAGOLc1TXhXsaXbQKHFuaprwUmrBX6g",
	} {
		l, err := Decompress(uri)
		want := "http://example.org/01/05412345000013/10/ABC%26%2B123?7003=1903061658"
		if err != nil || l.URI() != want {
			t.Errorf("%s is %s, %v, want %s", uri, l.URI(), err, want)
		}
	}
}

func TestCompressEveryKey(t *testing.T) {
	for _, uri := range everyKey {
		l, err := ParseLink(uri)
		if err != nil {
			t.Fatal(err)
		}
		c, err := l.Compress()
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		back, err := Decompress(c)
		if err != nil || back.URI() != uri {
			t.Errorf("%s: %s is %s, %v", uri, c, back.URI(), err)
		}
	}
}

func TestDecompressRefuses(t *testing.T) {
	for _, uri := range []string{
		"", "http://example.org/", "http://example.org", "http://example.org/A*", "http://example.org/A",
		"http://example.org/AQnYUc1gmiERBhQ0ytiyZuAGOLc1T",         // cut short
		"http://example.org/AQnYUc1gmiERBhQ0ytiyZuAGOLc1TR",        // a bit set in the padding
		"http://example.org/01/05412345000013",                     // not compressed
		"http://example.org/" + strings.Repeat("A", maxCompressed), // zeros
		"http://example.org/" + strings.Repeat("A", maxCompressed+1),
	} {
		if l, err := Decompress(uri); err == nil {
			t.Errorf("%.80s was taken for %v", uri, l)
		}
	}
	two := Link{Elements: []Element{{"8004", "9520614141234567"}, {"01", "09521234543213"}}}
	if c, err := two.Compress(); err == nil {
		t.Errorf("a link with two keys became %s", c)
	}
}

func FuzzDecompress(f *testing.F) {
	f.Add("http://example.org/AQnYUc1gmiERBhQ0ytiyZuAGOLc1TQ")
	f.Add("https://id.gs1.org/01/09506000134352/ISoX")
	for _, s := range seeds {
		if l, err := ParseLink(s); err == nil {
			if c, err := l.Compress(); err == nil {
				f.Add(c)
			}
		}
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		for _, parse := range []func(string) (Link, error){Decompress, ParseLink} {
			l, err := parse(uri)
			if err != nil {
				continue
			}
			c, err := l.Compress()
			if err != nil {
				continue
			}
			back, err := Decompress(c)
			if err != nil || back.Canonical() != l.Canonical() || back.Stem != l.Stem || !slices.Equal(sorted(back), sorted(l)) {
				t.Fatalf("%q is %q, compressed to %q, which is %q, %v", uri, l, c, back, err)
			}
		}
	})
}

func sorted(l Link) []string {
	var s []string
	for _, e := range l.Elements {
		s = append(s, e.AI+"="+e.Value)
	}
	slices.Sort(s)
	return s
}
