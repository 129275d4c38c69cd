package verifier

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"strings"
)

// Style is the part of the page's style sheet that is about the panel. It uses the
// page's custom properties for colours.
//
//go:embed panel.css
var Style []byte

// ContentSecurityPolicy is what a page that holds a panel must allow beside what it
// needs itself. The worker is made from the script's own bytes, which is the blob.
const ContentSecurityPolicy = "script-src 'self'; worker-src blob:; connect-src 'self'"

//go:embed panel.html
var panelText string

var panelTemplate = template.Must(template.New("panel").Parse(panelText))

// A Panel is the part of a page in which the reader's device says what it found. Until
// the script has run, and where there is none, it says that nothing was checked and
// how to.
type Panel struct {
	ID          string        // the canonical identifier of the page
	Journey     string        // where the journey is, as GET /v1/journey answers
	Consistency string        // where GET /v1/proof/consistency is
	Script      string        // where Script is
	Trust       Trust         // what the server proposes, and the panel says that it did
	Says        template.HTML // what the server says itself, as long as nothing is checked
	Command     string        // with which a reader checks it without this page

	// What the server says of its page: the log's size when it was made, and how many
	// of the journey's older steps it left out.
	Size uint64
	Cut  int
}

// Trust is keys and policy, as texts. Its JSON is also what readers bring in a file or
// in the page's address.
type Trust struct {
	LogPolicy      string   `json:"logPolicy"`
	IndexPolicy    string   `json:"indexPolicy,omitempty"`
	IndexVerifiers []string `json:"indexVerifiers,omitempty"` // those of IndexPolicy's witnesses that rebuild the index
	OperatorKey    string   `json:"operatorKey,omitempty"`
	MaxAge         string   `json:"maxAge,omitempty"` // in seconds
}

// HTML is the panel and the element that loads the script.
func (p Panel) HTML() (template.HTML, error) {
	proposed, err := json.Marshal(p.Trust)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = panelTemplate.Execute(&b, struct {
		Panel
		Proposed, Integrity string
	}{p, string(proposed), Integrity()})
	return template.HTML(b.String()), err
}
