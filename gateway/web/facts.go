package web

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// maxGoods bounds how many things one step lists.
const maxGoods = 12

// listed gives the identifiers of a list of things and of a list of quantities.
func listed(v jcs.Value, epcs, quantities string) (raw []string) {
	for _, e := range items(v, epcs) {
		raw = append(raw, e.Text())
	}
	for _, q := range items(v, quantities) {
		raw = append(raw, text(q, "epcClass"))
	}
	return raw
}

// goods lists what went in, what came out and what was packed, without the thing
// that the reader looks at.
func (t *teller) goods(v jcs.Value, a angle, via string) (list []goods) {
	add := func(label, epcs, quantities string) {
		g := goods{Label: label}
		more := 0
		put := func(raw, amount string) {
			if raw == "" || slices.Contains(gs1.Identifiers(raw), via) {
				return
			}
			if len(g.Items) == maxGoods {
				more++
				return
			}
			thing := t.thing(raw)
			g.Items = append(g.Items, fact{Label: thing.String(), Value: amount, Href: thing.Href})
		}
		for _, q := range items(v, quantities) {
			put(text(q, "epcClass"), amount(q))
		}
		for _, e := range items(v, epcs) {
			put(e.Text(), "")
		}
		if more > 0 {
			g.Items = append(g.Items, fact{Label: fmt.Sprintf("and %d more", more)})
		}
		if len(g.Items) > 0 {
			list = append(list, g)
		}
	}
	switch text(v, "type") {
	case "TransformationEvent":
		add("From", "inputEPCList", "inputQuantityList")
		if a.output && !a.input {
			add("Together with", "outputEPCList", "outputQuantityList")
		} else {
			add("Into", "outputEPCList", "outputQuantityList")
		}
	case "AggregationEvent", "AssociationEvent":
		if parent := text(v, "parentID"); parent != "" && !a.parent {
			thing := t.thing(parent)
			label := "On or in"
			if text(v, "type") == "AssociationEvent" {
				label = "On"
			}
			list = append(list, goods{label, []fact{{Label: thing.String(), Href: thing.Href}}})
		}
		label := "Together with"
		switch {
		case text(v, "type") == "AssociationEvent":
			label = "The device"
		case a.parent && text(v, "action") == "DELETE":
			label = "What was taken off"
		case a.parent:
			label = "What is on it"
		}
		add(label, "childEPCs", "childQuantityList")
	default:
		add("Together with", "epcList", "quantityList")
	}
	return list
}

// amount is a quantityElement's, for people.
func amount(q jcs.Value) string {
	n, ok := q.Get("quantity")
	if !ok || n.Kind() != jcs.Number {
		return ""
	}
	code := text(q, "uom")
	if code == "" {
		return measure(n.Float(), "EA")
	}
	return measure(n.Float(), code)
}

// maxLink bounds the links that a step offers, in bytes.
const maxLink = 2048

// facts gives the details that a shopper or an auditor asks for next.
func (t *teller) facts(v jcs.Value, via string) (list []fact) {
	add := func(label, value, href string) {
		if value != "" && len(list) < 14 {
			list = append(list, fact{label, shorten(value, maxValue), href})
		}
	}
	for _, name := range []string{"quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"} {
		for _, q := range items(v, name) {
			if slices.Contains(gs1.Identifiers(text(q, "epcClass")), via) {
				add("Quantity", amount(q), "")
			}
		}
	}
	ilmd, _ := v.Get("ilmd")
	for _, m := range ilmd.Members() {
		name, value := term("", m.Name), plainValue(m.Value)
		if other, begins := strings.CutSuffix(name, "StartDate"); begins {
			if end := member(ilmd, other+"EndDate"); end != "" && end != value {
				add(readable(other), value+" to "+end, "")
			} else {
				add(readable(other), value, "")
			}
			continue
		}
		if other, ends := strings.CutSuffix(name, "EndDate"); ends && member(ilmd, other+"StartDate") != "" {
			continue
		}
		add(readable(name), value, "")
	}
	for _, b := range items(v, "bizTransactionList") {
		label := "Document"
		if l, ok := documents[term("bizTransaction", text(b, "type"))]; ok {
			label = l
		}
		id := text(b, "bizTransaction")
		add(label, id[strings.LastIndexAny(id, ":/")+1:], "")
	}
	certificates, _ := v.Get("certificationInfo")
	links := certificates.Items()
	if certificates.Text() != "" {
		links = []jcs.Value{certificates}
	}
	for _, c := range links {
		link := c.Text()
		if strings.HasPrefix(link, "https://") && len(link) <= maxLink {
			add("Certificate", strings.TrimPrefix(link, "https://"), link)
		} else {
			add("Certificate", link, "")
		}
	}
	if d := term("disposition", text(v, "disposition")); d != "" && d != "active" && d != "in_progress" {
		add("State", stateWords(d), "")
	}
	for _, m := range v.Members() {
		if strings.Contains(m.Name, ":") { // an extension
			add(readable(term("", m.Name)), plainValue(m.Value), "")
		}
	}
	return list
}

// member is the value of a member whose name ends in that term.
func member(v jcs.Value, name string) string {
	for _, m := range v.Members() {
		if term("", m.Name) == name {
			return plainValue(m.Value)
		}
	}
	return ""
}

// documents are the kinds of business transaction of CBV 2.0, section 7.3.
var documents = map[string]string{
	"bol": "Bill of lading", "cert": "Certificate", "desadv": "Despatch advice", "inv": "Invoice", "pedigree": "Pedigree",
	"po": "Order", "poc": "Order confirmation", "prodorder": "Production order", "recadv": "Receiving advice", "rma": "Return",
	"testprd": "Test procedure", "testres": "Test result", "upevt": "Upstream event",
}

// states are dispositions of CBV 2.0, section 7.2, that need better words than
// their own.
var states = map[string]string{
	"sellable_accessible": "on sale", "sellable_not_accessible": "for sale, not yet on the shelf", "retail_sold": "sold",
	"in_transit": "on its way", "in_progress": "in process", "active": "in use", "container_closed": "closed", "container_open": "open",
	"completeness_verified": "checked for missing parts", "completeness_inferred": "taken to have no missing parts",
	"conformant": "in order", "non_conformant": "not in order", "mismatch_quantity": "the quantity was wrong",
	"no_pedigree_match": "papers did not match", "non_sellable_other": "not for sale",
}

func stateWords(disposition string) string {
	if words, ok := states[disposition]; ok {
		return words
	}
	return strings.ToLower(readable(disposition))
}

// plainValue writes a JSON value for people, if it is simple enough.
func plainValue(v jcs.Value) string {
	switch v.Kind() {
	case jcs.String:
		s := v.Text()
		if words := dateWords(s); words != s {
			return words
		}
		if strings.HasPrefix(s, "urn:") || strings.Contains(s, "://") {
			if r := readable(term("", s)); r != "" && strings.HasPrefix(s, "https://ref.gs1.org/") {
				return r
			}
		}
		return shorten(s, maxValue)
	case jcs.Number:
		return grouped(v.Float())
	case jcs.Bool:
		if v.Bool() {
			return "yes"
		}
		return "no"
	case jcs.Array:
		var parts []string
		for _, item := range v.Items() {
			if s := plainValue(item); s != "" && len(parts) < 8 {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	case jcs.Object:
		if s := text(v, "@value"); s != "" {
			return shorten(s, maxValue)
		}
		if n, ok := v.Get("value"); ok {
			if code := text(v, "uom"); code != "" && n.Kind() == jcs.Number {
				return measure(n.Float(), code)
			}
			return plainValue(n)
		}
	}
	return ""
}
