package web

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// entryPage is the page of one entry, as it stands in the log.
type entryPage struct {
	frame
	Index              uint64
	Size               uint64 // of the checkpoint
	Previous, Next     string
	What               string
	Header, Signatures string
	JSON               string // indented, for people; the bytes are in the file
	LeafHash           string
	Receipt            string
	Who                string
	Unauthenticated    string
	Things             []thing
	LogKey, PublicURL  string
	Witnessed          witnessed
}

// entry answers /entry/N, and N.entry and N.tlog-proof: the entry's bytes and
// its receipt.
func (h *handler) entry(w http.ResponseWriter, r *http.Request, name string) {
	text, extension, _ := strings.Cut(name, ".")
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(index, 10) != text {
		h.problem(w, r, http.StatusNotFound, "There is nothing here", "Entries are at /entry/0, /entry/1, and so on.")
		return
	}
	e, err := h.service.EventAt(r.Context(), index)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	switch extension {
	case "":
	case "entry":
		w.Header().Set("Content-Type", "application/vnd.tallyroot.entry")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		h.send(w, r, e.Entry)
		return
	case "tlog-proof":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		h.send(w, r, e.Receipt)
		return
	default:
		h.problem(w, r, http.StatusNotFound, "There is nothing here", "An entry is kept as "+text+".entry, its receipt as "+text+".tlog-proof.")
		return
	}
	parsed, err := entry.Parse(e.Entry)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	signed, err := h.checkReceipt(e.Receipt, e.LeafHash)
	if err != nil {
		h.failed(w, r, fmt.Errorf("the receipt of entry %d: %w", index, err))
		return
	}
	published, _ := h.service.Published()
	n := h.names(r.Context())
	p := entryPage{
		frame: h.frame("Entry " + text), Index: index, Size: published.Size,
		LeafHash: hex.EncodeToString(e.LeafHash[:]), Receipt: string(e.Receipt),
		LogKey: h.service.LogKey(), PublicURL: h.publicURL, Witnessed: h.witnesses(signed),
	}
	p.Header, _, _ = strings.Cut(string(e.Entry), "\n")
	_, p.Signatures, _ = strings.Cut(string(e.Entry), "\n\n")
	p.JSON = indented(parsed.JSON)
	if len(p.JSON) > maxShown {
		p.JSON = strings.ToValidUTF8(p.JSON[:maxShown], "") + "\n… the rest is in the file"
	}
	who := make([]string, len(parsed.Participants))
	for i, id := range parsed.Participants {
		who[i] = n.participant(id)
	}
	p.Who = strings.Join(who, " and ")
	p.What = h.what(parsed)
	for _, id := range thingsOf(parsed.JSON) {
		p.Things = append(p.Things, n.thing(id))
	}
	if err := h.service.VerifyAt(index, parsed); err != nil {
		p.Unauthenticated = err.Error()
	}
	if index > 0 {
		p.Previous = h.base + "/entry/" + strconv.FormatUint(index-1, 10)
	}
	if index+1 < published.Size {
		p.Next = h.base + "/entry/" + strconv.FormatUint(index+1, 10)
	}
	if n.err != nil {
		h.failed(w, r, n.err)
		return
	}
	h.page(w, r, http.StatusOK, "entry", p)
}

// maxShown bounds the text of an entry on its page, in bytes.
const maxShown = 64 << 10

// maxThings bounds the links to what an entry is about.
const maxThings = 24

// thingsOf gives the first identifiers that an entry names, as they were sent.
func thingsOf(v jcs.Value) (ids []string) {
	all := []string{text(v, "identifier"), text(v, "parentID")}
	for _, names := range [][2]string{{"epcList", "quantityList"}, {"childEPCs", "childQuantityList"}, {"inputEPCList", "inputQuantityList"}, {"outputEPCList", "outputQuantityList"}} {
		all = append(all, listed(v, names[0], names[1])...)
	}
	seen := map[string]bool{"": true}
	for _, id := range all {
		if canonical, err := gs1.Canonical(id); err == nil && !seen[canonical] && len(ids) < maxThings {
			seen[canonical] = true
			ids = append(ids, canonical)
		}
	}
	return ids
}

// what says in a few words what kind of entry it is.
func (h *handler) what(e *entry.Entry) string {
	v := e.JSON
	switch e.Type() {
	case entry.TypeGenesis:
		return "The log’s first entry: whose log this is"
	case entry.TypeOperator:
		return "The operator’s new key"
	case entry.TypeParticipant:
		return "Who may log events, and with which keys: " + text(v, "name")
	case entry.TypeProduct:
		return "What a product is: " + text(v, "name")
	case entry.TypePlace:
		return "What a place is: " + text(v, "name")
	case entry.TypeVoid:
		return "An empty place in the log"
	}
	d := deedOf(v, angle{inside: "together", output: true})
	if _, declared := epcis.ErrorDeclared(v); declared {
		return "A report taken back: " + d.Title
	}
	if at, ok := moment(v); ok {
		return d.Title + ", " + at.Format("2 January 2006, 15:04") + " " + offsetWords(at)
	}
	return d.Title
}

// indented writes JSON for people.
func indented(v jcs.Value) string {
	var b strings.Builder
	var write func(v jcs.Value, indent string)
	write = func(v jcs.Value, indent string) {
		inner := indent + "  "
		switch v.Kind() {
		case jcs.Object:
			if len(v.Members()) == 0 {
				b.WriteString("{}")
				return
			}
			b.WriteString("{\n")
			for i, m := range v.Members() {
				if i > 0 {
					b.WriteString(",\n")
				}
				b.WriteString(inner)
				b.Write(jcs.NewString(m.Name).AppendCanonical(nil))
				b.WriteString(": ")
				write(m.Value, inner)
			}
			b.WriteString("\n" + indent + "}")
		case jcs.Array:
			if len(v.Items()) == 0 {
				b.WriteString("[]")
				return
			}
			b.WriteString("[\n")
			for i, item := range v.Items() {
				if i > 0 {
					b.WriteString(",\n")
				}
				b.WriteString(inner)
				write(item, inner)
			}
			b.WriteString("\n" + indent + "]")
		default:
			b.Write(v.AppendCanonical(nil))
		}
	}
	write(v, "")
	return escaped(b.String())
}

// escaped writes characters that nobody could see as JSON's escapes.
func escaped(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// landingPage is the way in.
type landingPage struct {
	frame
	Recent    []recent
	Size      uint64
	When      string
	Witnessed witnessed
}

// A recent thing was named in one of the log's newest events.
type recent struct {
	Thing   thing
	Brand   string
	Deed    deed
	Day     string
	Machine string
}

// The newest entries among which the landing page looks, and how many things of
// them it shows.
const (
	recentEntries = 120
	recentThings  = 8
)

// angleOf is how somebody looks at an event who knows of the thing alone.
func angleOf(v jcs.Value, id string) angle {
	isOf := func(raw string) bool { return slices.Contains(gs1.Identifiers(raw), id) }
	return angle{
		output: slices.ContainsFunc(listed(v, "outputEPCList", "outputQuantityList"), isOf),
		input:  slices.ContainsFunc(listed(v, "inputEPCList", "inputQuantityList"), isOf),
		serial: strings.Contains(id, "/21/"), inside: "with others",
	}
}

func (h *handler) landing(w http.ResponseWriter, r *http.Request) {
	published, signed := h.service.Published()
	p := landingPage{frame: h.frame("Where does it come from?"), Size: published.Size, Witnessed: h.witnesses(signed)}
	events, err := h.service.Recent(r.Context(), "", recentEntries)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	n := h.names(r.Context())
	seen := map[string]bool{}
	for _, event := range events {
		e, err := entry.Parse(event.Entry)
		if err != nil || !epcis.IsEvent(e.JSON) || len(p.Recent) == recentThings {
			continue
		}
		if _, declared := epcis.ErrorDeclared(e.JSON); declared {
			continue
		}
		for _, id := range thingsOf(e.JSON) {
			described := n.product(id)
			if described == nil || seen[described.Statement.Identifier] || !strings.HasPrefix(id, gs1.Stem+"/01/") || len(p.Recent) == recentThings {
				continue
			}
			seen[described.Statement.Identifier] = true
			entry := recent{Thing: n.thing(id), Brand: described.Statement.Brand, Deed: deedOf(e.JSON, angleOf(e.JSON, id))}
			if at, ok := moment(e.JSON); ok {
				entry.Day, entry.Machine = at.Format("2 January 2006"), at.Format(time.RFC3339)
			}
			p.Recent = append(p.Recent, entry)
		}
	}
	if n.err != nil {
		h.failed(w, r, n.err)
		return
	}
	h.page(w, r, http.StatusOK, "landing", p)
}
