package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestID(t *testing.T) {
	tests := []struct {
		name   string
		uris   []string
		in     string
		length int
		want   []string // each a line, or what a line holds
		failed bool
	}{
		{
			name: "lot", uris: []string{"https://shop.example/p/01/09506000134352/10/LOT-7?17=290426"},
			want: []string{`{"input":"https://shop.example/p/01/09506000134352/10/LOT-7?17=290426","canonical":"https://id.gs1.org/01/09506000134352/10/LOT-7","elements":[["01","09506000134352"],["10","LOT-7"],["17","290426"]],"urn":null,"error":null}`},
		},
		{
			name: "item with its URN", uris: []string{"https://id.gs1.org/01/09506000134352/21/A%2F1"}, length: 7,
			want: []string{`"elements":[["01","09506000134352"],["21","A/1"]],"urn":"urn:epc:id:sgtin:9506000.013435.A%2F1","error":null}`},
		},
		{
			name: "a URN knows its prefix", uris: []string{"urn:epc:id:sgtin:9506000.013435.2017"},
			want: []string{`{"input":"urn:epc:id:sgtin:9506000.013435.2017","canonical":"https://id.gs1.org/01/09506000134352/21/2017","elements":[["01","09506000134352"],["21","2017"]],"urn":"urn:epc:id:sgtin:9506000.013435.2017","error":null}`},
		},
		{
			name: "another URI", uris: []string{"urn:uuid:5c2b4e90-1234-4abc-9876-1f2c3d4e5f63"},
			want: []string{`"canonical":"urn:uuid:5c2b4e90-1234-4abc-9876-1f2c3d4e5f63","elements":[],"urn":null,"error":null}`},
		},
		{
			name: "wrong check digit", uris: []string{"https://id.gs1.org/01/09506000134353"}, failed: true,
			want: []string{`the check digit of 0950600013435 is 2`},
		},
		{
			name: "short name", uris: []string{"https://id.gs1.org/gtin/09506000134352"}, failed: true,
			want: []string{`"canonical":"https://id.gs1.org/gtin/09506000134352","elements":[],"urn":null,"error":"stands for itself`},
		},
		{
			name: "no URN for it", uris: []string{"https://id.gs1.org/417/9506000134000/7040/1ABC"}, length: 7, failed: true,
			want: []string{`"urn":null,"error":"\"https://id.gs1.org/417/9506000134000/7040/1ABC\": has no EPC URN`},
		},
		{
			name: "no such company prefix", uris: []string{"https://id.gs1.org/01/09506000134352/21/1"}, length: 13, failed: true,
			want: []string{`"canonical":"https://id.gs1.org/01/09506000134352/21/1","elements":[["01","09506000134352"],["21","1"]],"urn":null,"error":"has no EPC URN with --gcp-length 13`},
		},
		{
			name: "no GS1 identifier, a URN wanted", uris: []string{"urn:isbn:0451450523"}, length: 7, failed: true,
			want: []string{`has no EPC URN`},
		},
		{
			name: "lines", uris: []string{"-"}, in: "geo:1,2\r\n\nnot a URI\nurn:isbn:0451450523", failed: true,
			want: []string{`"canonical":"geo:1,2"`, `"canonical":null,"elements":[],"urn":null,"error":"\"not a URI\": is not a URI`, `"input":"urn:isbn:0451450523"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := runID(tt.uris, strings.NewReader(tt.in), &out, tt.length)
			if failed := errors.Is(err, silentError{}); failed != tt.failed || err != nil && !failed {
				t.Errorf("error %v, want one said already: %t", err, tt.failed)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("%d lines, want %d: %s", len(lines), len(tt.want), out.String())
			}
			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("line %d is\n%s\nwithout\n%s", i, lines[i], want)
				}
			}
		})
	}
}

func TestIDLineLimit(t *testing.T) {
	fits := "urn:x:" + strings.Repeat("a", maxIDLine-1-len("urn:x:"))
	var out bytes.Buffer
	if err := runID([]string{"-"}, strings.NewReader(fits+"\n"), &out, 0); err != nil {
		t.Errorf("a line of %d bytes: %v", len(fits), err)
	}
	if err := runID([]string{"-"}, strings.NewReader(fits+"aa\n"), &out, 0); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a line of %d bytes: %v", len(fits)+2, err)
	}
}
