package web

import (
	"embed"
	"html/template"
	"strconv"
)

//go:embed templates
var templateFiles embed.FS

func parseTemplates(h *handler) (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"entry":  func(index uint64) string { return h.base + "/entry/" + strconv.FormatUint(index, 10) },
		"plural": plural,
		"int":    func(n uint64) int { return int(n) },
		// A step is drawn with the page that it stands on.
		"both": func(page *productPage, s *step) stepOnPage { return stepOnPage{page, s} },
	}).ParseFS(templateFiles, "templates/*.html")
}

type stepOnPage struct {
	Page *productPage
	Step *step
}
