package gateway_test

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// witnessed starts a witness and gives the policy that needs it.
func witnessed(t *testing.T, c *provenance.Config) []byte {
	t.Helper()
	key, _, err := provenance.MakeKeys(c.Dir, c.Origin, filepath.Join(c.Dir, "last-checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(witness.Options{Dir: t.TempDir(), Name: "witness.example/1", Logs: []witness.Log{{Key: key}}, Logger: c.Logger})
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewServer(w)
	t.Cleanup(func() {
		at.Close()
		w.Close()
	})
	return fmt.Appendf(nil, "log %s\nwitness one %s %s\nquorum one\n", key, w.Verifier(), at.URL)
}

// What docs/operations.md says of metrics is what /metrics gives, and the other
// way round.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(tallyroot_[a-z_]+)` \\| ([a-z]+) \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(string(text), -1) {
		if _, twice := documented[row[1]]; twice {
			t.Errorf("%s stands there twice", row[1])
		}
		if !strings.HasPrefix(row[4], "with `--mysql`: ") { // there is no database here
			documented[row[1]] = row[2]
		}
	}
	registry := prometheus.NewRegistry()
	hooks, err := gateway.ObserveLog(registry)
	if err != nil {
		t.Fatal(err)
	}
	onIndex, err := gateway.ObserveIndex(registry)
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, func(o *gateway.Options) { o.Registry = registry }, func(c *provenance.Config) {
		c.Hooks, c.OnIndexPublish = hooks, onIndex
		c.Policy = witnessed(t, c)
	})
	h.log(event(1)) // what has labels is there once it was counted
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]string{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "tallyroot_") {
			served[f.GetName()] = strings.ToLower(f.GetType().String())
			if f.GetHelp() == "" {
				t.Errorf("%s has no help", f.GetName())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(served)) {
		if documented[name] != served[name] {
			t.Errorf("%s is a %s and documented as %q", name, served[name], documented[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if served[name] == "" {
			t.Errorf("%s is documented and not there", name)
		}
	}
	// Every name in the rules stands in the table.
	rules := string(text[strings.Index(string(text), "```yaml\ngroups:"):])
	rules = rules[:strings.Index(rules, "\n```\n")]
	for _, name := range regexp.MustCompile("tallyroot_[a-z_]+").FindAllString(rules, -1) {
		if documented[name] == "" {
			t.Errorf("a rule asks for %s, which is not documented", name)
		}
	}
	// And the log's work is measured: Genesis, two participants, one event.
	for _, name := range []string{"tallyroot_log_write_seconds", "tallyroot_log_write_entries", "tallyroot_log_provable_seconds", "tallyroot_log_publish_seconds"} {
		eventually(t, name+" has four observations", func() bool { n, _ := observed(t, registry, name); return n >= 4 })
	}
	eventually(t, "the index was published", func() bool { n, _ := observed(t, registry, "tallyroot_index_publish_seconds"); return n >= 1 })
	if _, sum := observed(t, registry, "tallyroot_log_write_entries"); sum != 4 {
		t.Errorf("%v entries were written, want 4", sum)
	}
}

// observed gives how many values a histogram has seen, and their sum.
func observed(t *testing.T, r *prometheus.Registry, name string) (n uint64, sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			h := f.Metric[0].GetHistogram()
			return h.GetSampleCount(), h.GetSampleSum()
		}
	}
	return 0, 0
}
