package web

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tallyroot/tallyroot/gateway/web/verifier"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// proposal is what the pages propose to readers that they trust.
func proposal(o Options) (verifier.Trust, error) {
	index := o.Service.IndexPolicy()
	t := verifier.Trust{LogPolicy: o.Service.Policy().String(), IndexPolicy: index.String()}
	for _, name := range o.IndexVerifiers {
		i := slices.IndexFunc(index.Witnesses(), func(w policy.Witness) bool { return w.Name == name || w.Key == name })
		if i < 0 {
			return t, fmt.Errorf("web: the index-verifier %q is no witness of the index policy", name)
		}
		t.IndexVerifiers = append(t.IndexVerifiers, index.Witnesses()[i].Key)
	}
	return t, nil
}

// checkPage is for proofs that were saved before, from here or from anywhere.
type checkPage struct {
	frame
	Panel template.HTML
}

// check answers /check: a page that checks what is dropped on it.
func (h *handler) check(w http.ResponseWriter, r *http.Request) {
	p := checkPage{frame: h.frame("Check a proof")}
	p.Verifies = true
	var err error
	if p.Panel, err = (verifier.Panel{Script: h.script, Trust: h.trust, Command: "tallyroot verify FILE --policy policy.txt --index-policy index-policy.txt"}).HTML(); err != nil {
		h.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", h.verifying)
	h.page(w, r, http.StatusOK, "check", p)
}

// addPanel puts the panel into a product's page.
func (h *handler) addPanel(p *productPage) (err error) {
	says := plain{limit: maxPage}
	if err := h.templates.ExecuteTemplate(&says, "says", p); err != nil {
		return err
	}
	p.Command = h.command(p)
	p.Panel, err = verifier.Panel{
		ID:          p.ID,
		Journey:     h.base + "/v1/journey?id=" + url.QueryEscape(p.ID),
		Consistency: h.base + "/v1/proof/consistency",
		Script:      h.script,
		Trust:       h.trust,
		Says:        template.HTML(says.String()),
		Command:     p.Command,
		Size:        p.Size,
		Cut:         p.Cut,
	}.HTML()
	return err
}

// command is how a page is checked with the program.
func (h *handler) command(p *productPage) string {
	words := []string{"tallyroot verify", shellQuote(h.public(p.ID))}
	if !p.Witnessed.Asked && !p.Witnessed.IndexAsked {
		return strings.Join(append(words, "--log-key log.vkey"), " ")
	}
	words = append(words, "--policy policy.txt", "--index-policy index-policy.txt")
	for _, w := range h.service.IndexPolicy().Witnesses() {
		if slices.Contains(h.trust.IndexVerifiers, w.Key) {
			words = append(words, "--index-verifier "+shellQuote(w.Name))
		}
	}
	return strings.Join(words, " ")
}

// shellQuote makes an argument of a command line that can be copied.
func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
