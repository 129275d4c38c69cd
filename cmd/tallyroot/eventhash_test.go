package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance/epcis"
)

const hashSample = `{"type":"ObjectEvent","eventTime":"2026-04-02T09:15:00+02:00","eventTimeZoneOffset":"+02:00","epcList":["urn:epc:id:sgtin:9506000.013435.1001"],"action":"OBSERVE"}`

const (
	hashSamplePreHash = "eventType=ObjectEventeventTime=2026-04-02T07:15:00.000ZeventTimeZoneOffset=+02:00epcListepc=https://id.gs1.org/01/09506000134352/21/1001action=OBSERVE"
	// printf %s "$hashSamplePreHash" | sha256sum
	hashSampleHash = "ni:///sha-256;82eac7d6c041a50bc03714a6874ac00442480f47a6a437dac7622fe7ecef6096?ver=CBV2.0"
)

func TestEventHash(t *testing.T) {
	for _, c := range []struct {
		name, in string
		h        hasher
		out, err string // err: what the error must say
	}{
		{"an event", hashSample, hasher{}, hashSampleHash + "\n", ""},
		{"a draft", hashSample, hasher{version: epcis.CBV21}, strings.Replace(hashSampleHash, "2.0", "2.1", 1) + "\n", ""},
		{"an array", "[" + hashSample + "," + hashSample + "]", hasher{}, hashSampleHash + "\n" + hashSampleHash + "\n", ""},
		{"lines", hashSample + "\n\n" + hashSample + "\n", hasher{}, hashSampleHash + "\n" + hashSampleHash + "\n", ""},
		{"lines without a last line feed", hashSample + "\n" + hashSample, hasher{}, hashSampleHash + "\n" + hashSampleHash + "\n", ""},
		{"a document", `{"type":"EPCISDocument","epcisBody":{"eventList":[` + hashSample + `]}}`, hasher{}, hashSampleHash + "\n", ""},
		{"an empty document", `{"type":"EPCISDocument","epcisBody":{"eventList":[]}}`, hasher{}, "", ""},
		{"a byte order mark", "\ufeff" + hashSample, hasher{}, hashSampleHash + "\n", ""},
		{"what is no event", `[` + hashSample + `,1]`, hasher{}, "", "event 2 is a JSON number"},
		{"another object", `{"eventType":["ObjectEvent"]}`, hasher{}, "", "neither a type nor an eventTime"},
		{"what has no events", `{"type":"EPCISDocument"}`, hasher{}, "", "no epcisBody.eventList"},
		{"XML", `<?xml version="1.0"?>`, hasher{}, "", "XML"},
		{"no JSON", `{"a":`, hasher{}, "", "standard input: a (byte 5)"},
		{"a bad line", hashSample + "\n{\n", hasher{}, hashSampleHash + "\n", "standard input:2: byte 1"},
		{"nothing", "", hasher{}, "", "byte 0"},
	} {
		var out, explained bytes.Buffer
		err := c.h.files([]string{"-"}, strings.NewReader(c.in), &out, &explained)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if out.String() != c.out || explained.Len() > 0 {
			t.Errorf("%s: printed %q and %q, want %q", c.name, out.String(), explained.String(), c.out)
		}
	}
}

func TestEventHashExplained(t *testing.T) {
	var out, explained bytes.Buffer
	h := hasher{explain: true, json: true}
	if err := h.files([]string{"-"}, strings.NewReader(hashSample), &out, &explained); err != nil {
		t.Fatal(err)
	}
	if explained.String() != hashSamplePreHash+"\n" {
		t.Errorf("explained by %q", explained.String())
	}
	var got hashed
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != (hashed{"-", 1, hashSampleHash, hashSamplePreHash}) {
		t.Errorf("printed %s (%v)", out.String(), err)
	}
}

// TestEventHashOfFiles runs the command's core over every published file.
func TestEventHashOfFiles(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "eventhash", "inputs")
	files, err := filepath.Glob(filepath.Join(dir, "*.json*"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	want := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want += strings.Count(string(text), `"eventTimeZoneOffset"`)
	}
	var out bytes.Buffer
	if err := (hasher{}).files(files, nil, &out, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "?ver=CBV2.0\n"); got != want {
		t.Errorf("%d hashes for %d events", got, want)
	}
	if err := (hasher{}).files([]string{filepath.Join(dir, "none.json")}, nil, &out, nil); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("got %v", err)
	}
}
