package quorum_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

func TestNew(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	w0, w1 := newFake(t, "witness.example/0", l), newFake(t, "witness.example/1", l)
	for _, test := range []struct {
		url   string
		plain bool // AllowHTTP
		want  string
	}{
		{"https://witness.example", false, ""},
		{"https://witness.example/a/b/", false, ""},
		{"http://127.0.0.1:7380", false, ""},
		{"http://[::1]:7380/w", false, ""},
		{"http://localhost:7380", false, ""},
		{"http://witness:7380", true, ""},
		{"http://witness:7380", false, "not https"},
		{"http://127.0.0.1.example", false, "not https"},
		{"http://localhost.example", false, "not https"},
		{"http://10.0.0.1", false, "not https"},
		{"ftp://witness.example", true, "no address"},
		{"witness.example", true, "no address"},
		{"https:witness.example", true, "no address"},
		{"https:///path", true, "no address"},
		{"/path", true, "no address"},
		{"https://user:hunter2@witness.example", false, "more than a host and a path"},
		{"https://witness.example?a=b", false, "more than a host and a path"},
		{"https://witness.example?", false, "more than a host and a path"},
		{"https://witness.example#a", false, "more than a host and a path"},
		{"https://witness.example#", false, "more than a host and a path"},
		{"https://witness.example:port", false, "no address"},
	} {
		p := parse(t, "log "+l.Key+"\nwitness w0 "+w0.vkey()+" "+test.url+"\nquorum w0\n")
		c, err := quorum.New(quorum.Options{Origin: l.Origin, Policy: p, AllowHTTP: test.plain, Logger: quiet})
		if err == nil {
			c.Close()
		}
		if test.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.url, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the password: %v", test.url, err)
		}
	}
	// Witnesses without an address cannot be asked; enough of the others must be there.
	text := "log " + l.Key + "\nwitness w0 " + w0.vkey() + "\nwitness w1 " + w1.vkey() + " " + w1.web.URL + "/prefix\n"
	for lines, want := range map[string]string{
		"group g all w0 w1\nquorum g\n": "no address",
		"quorum w0\n":                   "no address",
		"group g any w0 w1\nquorum g\n": "",
		"quorum none\n":                 "",
	} {
		c, err := quorum.New(quorum.Options{Origin: l.Origin, Policy: parse(t, text+lines), Logger: quiet})
		if want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", lines, err)
		}
		if err == nil {
			if signed, err := c.Cosign(t.Context(), l.Signed(0), l.Prover(0)); err != nil || !strings.HasPrefix(string(signed), string(l.Signed(0))) {
				t.Errorf("%q: %s, %v", lines, signed, err)
			}
			c.Close()
		}
	}
}

// The clients of several logs go into one registry, and names need not be UTF-8.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for _, origin := range []string{"log.example/a", "log.example/a/index"} {
		l := witnesstest.NewLog(t, origin)
		l.Grow(9)
		f, g := newFake(t, "witness.example/0", l), newFake(t, "witness.example/1", l)
		p := parse(t, "log "+l.Key+"\nwitness \xff "+f.vkey()+" "+f.web.URL+"/prefix\nwitness \xfe "+g.vkey()+" "+g.web.URL+"/prefix\ngroup g all \xff \xfe\nquorum g\n")
		c, err := quorum.New(quorum.Options{Origin: origin, Policy: p, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := registry.Register(c); err != nil {
			t.Fatal(err)
		}
		if _, err := registry.Gather(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Cosign(t.Context(), l.Signed(9), l.Prover(9)); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{
			"tallyroot_quorum_answers_total": 2, "tallyroot_quorum_witness_up": 2, "tallyroot_quorum_witness_size": 18,
			"tallyroot_quorum_missed_total": 0, "tallyroot_quorum_ahead": 0,
		} {
			if got := counted(t, c, name, "log", origin); got != want {
				t.Errorf("%s of %s is %v, want %v", name, origin, got, want)
			}
		}
	}
	if _, err := registry.Gather(); err != nil {
		t.Fatal(err)
	}
}
