package epcis_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

var hashForm = regexp.MustCompile(`^ni:///sha-256;[0-9a-f]{64}\?ver=CBV2\.[01]$`)

// FuzzEvent: any JSON is judged and hashed without harm, the same each time,
// and the hash does not depend on what it must not depend on.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(base))
	f.Add([]byte(`{"sensorElementList":[{"sensorMetadata":{"time":"2026-04-02T09:15:00.9995Z","a:b":1},"sensorReport":[{"type":"Temperature","value":4.50},{"a:c":[[1],{"a:d":null}]}]}],"ilmd":{"cbvmda:lot":"007"},"@context":{"a":"b:c","b":"d:"}}`))
	f.Add([]byte(`[{"eventList":[{}]},7]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := epcis.ParseForHash(text)
		if err != nil {
			return
		}
		if strict, err := jcs.Parse(text); err == nil && !jcs.Equal(strict, v) {
			t.Fatalf("%s is read as %s", text, v.Canonical())
		}
		events, err := epcis.Events(v)
		if err != nil {
			events = nil
		}
		for _, event := range append(slices.Clone(events), v) {
			before := string(event.Canonical())
			problems, warnings := epcis.Validate(event, now)
			for _, p := range append(problems, warnings...) {
				if p.String() == "" {
					t.Fatalf("%s: a problem without words", before)
				}
			}
			for _, version := range []epcis.Version{epcis.CBV20, epcis.CBV21} {
				hash := version.Hash(event)
				if !hashForm.MatchString(hash) {
					t.Fatalf("%s: %s", before, hash)
				}
				if event.Kind() != jcs.Object {
					continue
				}
				other := event.With("eventID", jcs.NewString("urn:x")).With("recordTime", jcs.NewString("x")).With("errorDeclaration", jcs.NewObject())
				if version.Hash(other) != hash {
					t.Fatalf("%s: the hash depends on what it leaves out", before)
				}
				if turned := turn(event); version.Hash(turned) != hash {
					t.Fatalf("%s: the hash depends on the order of lists:\n%s\n%s", before, version.PreHash(event), version.PreHash(turned))
				}
			}
			if string(event.Canonical()) != before {
				t.Fatalf("%s was changed", before)
			}
		}
	})
}

// turn reverses every array but the @contexts, whose order counts.
func turn(v jcs.Value) jcs.Value {
	switch v.Kind() {
	case jcs.Array:
		items := make([]jcs.Value, 0, len(v.Items()))
		for _, item := range slices.Backward(v.Items()) {
			items = append(items, turn(item))
		}
		return jcs.NewArray(items...)
	case jcs.Object:
		members := make([]jcs.Member, 0, len(v.Members()))
		for _, m := range slices.Backward(v.Members()) {
			if !strings.HasPrefix(m.Name, "@") {
				m.Value = turn(m.Value)
			}
			members = append(members, m)
		}
		return jcs.NewObject(members...)
	}
	return v
}
