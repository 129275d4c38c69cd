package gateway

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

//go:embed reference.html
var referenceTemplate string

//go:embed reference.css
var referenceStyle string

// reference is the API's reference: the OpenAPI document as it is, and as a
// page that needs neither a script nor anything from elsewhere.
type reference struct {
	openAPI, html []byte
	policy        string
}

func newReference(openAPI []byte) (*reference, error) {
	page, err := referencePage(openAPI)
	if err != nil {
		return nil, fmt.Errorf("the API reference: %w", err)
	}
	t, err := template.New("reference").Funcs(template.FuncMap{"prose": prose, "line": line}).Parse(referenceTemplate)
	if err != nil {
		return nil, err
	}
	page.Style = template.CSS(referenceStyle)
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(referenceStyle))
	return &reference{
		openAPI: openAPI, html: b.Bytes(),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	}, nil
}

func (d *reference) document(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", contentJSON)
	w.Header().Set("Cache-Control", "no-cache")
	serveBytes(w, r, d.openAPI)
}

func (d *reference) page(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", d.policy)
	h.Set("Cache-Control", "no-cache")
	serveBytes(w, r, d.html)
}

// The parts of an OpenAPI document that the page shows.
type (
	openAPIDocument struct {
		Info struct{ Title, Summary, Description string }
		Tags []struct{ Name, Description string }
		// Paths maps a path to its operations by method.
		Paths      map[string]map[string]openAPIOperation
		Components struct {
			Schemas         map[string]openAPISchema
			SecuritySchemes map[string]struct{ Description string }
		}
	}
	openAPIOperation struct {
		Tags                 []string
		Summary, Description string
		Parameters           []struct {
			Name, In, Description string
			Required              bool
			Schema                openAPISchema
		}
		RequestBody struct {
			Content map[string]openAPIMedia
		}
		Responses map[string]struct {
			Description string
			Content     map[string]openAPIMedia
		}
		Security []map[string][]string
	}
	openAPIMedia  struct{ Schema openAPISchema }
	openAPISchema struct {
		Ref                       string `json:"$ref"`
		Type, Format, Description string
		Items                     *openAPISchema
		Properties                map[string]openAPISchema
		OneOf                     []openAPISchema
		AllOf                     []openAPISchema
		Enum                      []string
		AdditionalProperties      bool
	}
)

// What the page's template sees.
type (
	referenceData struct {
		Title, Summary, Description string
		Style                       template.CSS
		Groups                      []*referenceGroup
		Messages                    []referenceMessage
	}
	referenceGroup struct {
		Name, Description string
		Operations        []referenceOperation
	}
	referenceOperation struct {
		Anchor, Method, Path, Summary, Description, Token string
		Parameters                                        []referenceField
		Bodies                                            []referenceField
		Answers                                           []referenceField
	}
	referenceMessage struct {
		Anchor, Name, Description string
		Fields                    []referenceField
	}
	// referenceField is a row: a name, a type that may link to a message, and
	// what it means.
	referenceField struct {
		Name, Note, Type, Link, Description string
	}
)

func referencePage(openAPI []byte) (*referenceData, error) {
	var doc openAPIDocument
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return nil, err
	}
	page := &referenceData{Title: doc.Info.Title, Summary: doc.Info.Summary, Description: doc.Info.Description}
	groups := map[string]*referenceGroup{}
	for _, t := range doc.Tags {
		g := &referenceGroup{Name: strings.TrimSuffix(t.Name, "Service"), Description: t.Description}
		groups[t.Name] = g
		page.Groups = append(page.Groups, g)
	}
	for _, path := range sortedKeys(doc.Paths) {
		for _, method := range []string{"post", "get"} {
			op, ok := doc.Paths[path][method]
			if !ok {
				continue
			}
			if len(op.Tags) == 0 || groups[op.Tags[0]] == nil {
				return nil, fmt.Errorf("%s %s has no tag", method, path)
			}
			g := groups[op.Tags[0]]
			g.Operations = append(g.Operations, referenceOperationOf(&doc, method, path, &op))
		}
	}
	for _, name := range sortedKeys(doc.Components.Schemas) {
		schema := doc.Components.Schemas[name]
		m := referenceMessage{Anchor: anchor(name), Name: shortName(name), Description: schema.Description}
		for _, field := range sortedKeys(schema.Properties) {
			m.Fields = append(m.Fields, row(field, "", schema.Properties[field]))
		}
		page.Messages = append(page.Messages, m)
	}
	return page, nil
}

func referenceOperationOf(doc *openAPIDocument, method, path string, op *openAPIOperation) referenceOperation {
	r := referenceOperation{
		Anchor: anchor(method + path), Method: strings.ToUpper(method), Path: path,
		Summary: strings.TrimSuffix(op.Summary, "."), Description: op.Description,
	}
	for _, s := range op.Security {
		for name := range s {
			r.Token = doc.Components.SecuritySchemes[name].Description
		}
	}
	for _, p := range op.Parameters {
		note := p.In
		if p.Required {
			note += ", required"
		}
		field := row(p.Name, note, p.Schema)
		field.Description = p.Description
		r.Parameters = append(r.Parameters, field)
	}
	for _, t := range sortedKeys(op.RequestBody.Content) {
		schema := op.RequestBody.Content[t].Schema
		r.Bodies = append(r.Bodies, row(t, "", schema))
		if schema.AdditionalProperties {
			continue // what else stands in it is not this page's matter
		}
		for _, name := range sortedKeys(schema.Properties) {
			r.Bodies = append(r.Bodies, row(name, "member", schema.Properties[name]))
		}
	}
	for _, code := range sortedKeys(op.Responses) {
		answer := op.Responses[code]
		name := code
		if code == "default" {
			name = "else"
		}
		field := referenceField{Name: name, Description: answer.Description}
		for _, t := range sortedKeys(answer.Content) {
			field.Type, field.Link = typeName(answer.Content[t].Schema)
			if field.Type == "" {
				field.Type = t
			}
		}
		r.Answers = append(r.Answers, field)
	}
	return r
}

func row(name, note string, s openAPISchema) referenceField {
	f := referenceField{Name: name, Note: note, Description: s.Description}
	f.Type, f.Link = typeName(s)
	if len(s.Enum) > 0 {
		f.Type = strings.Join(s.Enum, " | ")
	}
	return f
}

// typeName says what a schema is, and where the page describes it.
func typeName(s openAPISchema) (name, link string) {
	switch {
	case s.Ref != "":
		full := s.Ref[strings.LastIndex(s.Ref, "/")+1:]
		return shortName(full), "#" + anchor(full)
	case len(s.AllOf) == 1:
		return typeName(s.AllOf[0])
	case len(s.OneOf) > 0:
		var names []string
		for _, o := range s.OneOf {
			n, _ := typeName(o)
			names = append(names, n)
		}
		return strings.Join(names, " or "), ""
	case s.Type == "array" && s.Items != nil:
		name, link = typeName(*s.Items)
		return "list of " + name, link
	case s.Format == "byte":
		return "base64", ""
	case s.Format != "":
		return s.Type + " (" + s.Format + ")", ""
	}
	return s.Type, ""
}

func shortName(full string) string {
	return strings.TrimPrefix(full, "tallyroot.v1.")
}

func anchor(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// prose renders the little Markdown that the proto's comments use: paragraphs
// and code.
func prose(text string) template.HTML {
	var b strings.Builder
	for _, paragraph := range strings.Split(text, "\n\n") {
		if strings.TrimSpace(paragraph) != "" {
			b.WriteString("<p>" + string(line(paragraph)) + "</p>\n")
		}
	}
	return template.HTML(b.String())
}

func line(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		escaped := template.HTMLEscapeString(part)
		if i%2 == 1 {
			escaped = "<code>" + escaped + "</code>"
		}
		b.WriteString(escaped)
	}
	return template.HTML(b.String())
}
