package epcis

import (
	"strings"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// StandardContext is the address of the EPCIS 2.0 context. What it defines is
// known here; it is never fetched. An event without @context means it.
const StandardContext = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"

// Context is what an event's @context (JSON-LD 1.1) says of the names in it,
// as far as that can be known without fetching anything. The zero Context is
// EPCIS 2.0's own.
type Context struct {
	outer   *Context // whose definitions hold where this one has none
	entries []entry
	index   map[string]int // of the last entry of each name, once there are many
	vocab   string
	// remote is the first context given by address that is not EPCIS's: its
	// terms and prefixes are not known here.
	remote string
}

// entry is a term that an inline context defines, a prefix or a name.
type entry struct {
	name string
	iri  string // as written; "" when the definition gives none
}

// The namespaces that an event's prefixes mean unless its context says
// otherwise. Those of the EPCIS context, but for two: the event hash writes
// gs1 as ref.gs1.org, and cbvmda without the colon at the end, as XML does.
var standardPrefixes = [...]entry{
	{"cbv", "https://ref.gs1.org/cbv/"},
	{"cbvmda", "urn:epcglobal:cbv:mda"},
	{"dcterms", "http://purl.org/dc/terms/"},
	{"epcis", "https://ref.gs1.org/epcis/"},
	{"gs1", gs1Vocabulary},
	{"owl", "http://www.w3.org/2002/07/owl#"},
	{"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
	{"xsd", "http://www.w3.org/2001/XMLSchema#"},
}

// ContextOf reads the value of an @context member: an address, an object, or
// an array of both. It is total: what it does not understand defines nothing.
func ContextOf(v jcs.Value) Context {
	var c Context
	c.add(v)
	return c
}

// inner gives the context that holds inside an object with an @context of its
// own.
func (c *Context) inner(v jcs.Value) Context {
	outer := *c
	inner := Context{outer: &outer, vocab: c.vocab, remote: c.remote}
	inner.add(v)
	return inner
}

func (c *Context) add(v jcs.Value) {
	switch v.Kind() {
	case jcs.String:
		if c.remote == "" && !isStandardContext(v.Text()) {
			c.remote = v.Text()
		}
	case jcs.Array:
		for _, item := range v.Items() {
			if item.Kind() != jcs.Array {
				c.add(item)
			}
		}
	case jcs.Object:
		for _, m := range v.Members() {
			c.define(m.Name, m.Value)
		}
	}
}

func (c *Context) define(name string, v jcs.Value) {
	iri := v.Text()
	if v.Kind() == jcs.Object {
		id, _ := v.Get("@id")
		iri = id.Text()
	}
	switch {
	case name == "@vocab":
		c.vocab = iri
	case strings.HasPrefix(name, "@"):
	default:
		c.entries = append(c.entries, entry{name, iri})
		c.remember()
	}
}

// manyEntries is from how many on entries are looked up in a map.
const manyEntries = 32

func (c *Context) remember() {
	switch last := len(c.entries) - 1; {
	case len(c.entries) < manyEntries:
	case c.index == nil:
		c.index = make(map[string]int, 2*manyEntries)
		for i := range c.entries {
			c.index[c.entries[i].name] = i
		}
	default:
		c.index[c.entries[last].name] = last
	}
}

// lookup finds the definition that holds for name: the last one.
func (c *Context) lookup(name string) (iri string, ok bool) {
	for at := c; at != nil; at = at.outer {
		if at.index != nil {
			if i, ok := at.index[name]; ok {
				return at.entries[i].iri, true
			}
			continue
		}
		for i := len(at.entries) - 1; i >= 0; i-- {
			if at.entries[i].name == name {
				return at.entries[i].iri, true
			}
		}
	}
	return "", false
}

// Namespace gives the namespace that prefix stands for; false when nothing
// that is known here defines it.
func (c *Context) Namespace(prefix string) (string, bool) {
	// The event hash has one namespace for gs1, whatever the context says:
	// published contexts disagree about its host.
	if prefix != "gs1" {
		if iri, ok := c.lookup(prefix); ok && iri != "" {
			return c.expandOnce(iri), true
		}
	}
	for i := range standardPrefixes {
		if standardPrefixes[i].name == prefix {
			return standardPrefixes[i].iri, true
		}
	}
	return "", false
}

// expandOnce resolves a definition that is itself written with a prefix.
func (c *Context) expandOnce(iri string) string {
	prefix, local, ok := strings.Cut(iri, ":")
	if !ok || strings.HasPrefix(local, "//") {
		return iri
	}
	if namespace, ok := c.lookup(prefix); ok && namespace != iri {
		return namespace + local
	}
	return iri
}

// split resolves the name of a member into namespace and local name. A name
// whose prefix nothing defines is an absolute IRI to JSON-LD, a namespace of
// its own: it gives ok false and stands for itself.
func (c *Context) split(name string) (namespace, local string, ok bool) {
	if prefix, local, found := strings.Cut(name, ":"); found {
		namespace, ok = c.Namespace(prefix)
		return namespace, local, ok
	}
	if iri, found := c.lookup(name); found {
		if prefix, local, found := strings.Cut(iri, ":"); found && !strings.HasPrefix(local, "//") {
			if namespace, ok := c.Namespace(prefix); ok {
				return namespace, local, true
			}
		}
		return "", "", false
	}
	if c.vocab != "" {
		return c.vocab, name, true
	}
	return "", "", false
}

// defines tells whether a member without a prefix may be somebody's term: an
// inline definition has it, or a context that is not known here may.
func (c *Context) defines(name string) bool {
	if c.remote != "" || c.vocab != "" {
		return true
	}
	_, ok := c.lookup(name)
	return ok
}

// MaxDefinitions is how many names, and how many contexts, the @context of a
// valid event may hold itself.
const MaxDefinitions = 256

// definitions counts what an @context holds.
func definitions(v jcs.Value) int {
	n := len(v.Members())
	for _, item := range v.Items() {
		n += 1 + len(item.Members())
	}
	return n
}

// isStandardContext recognises the addresses under which GS1 publishes the
// EPCIS context and its parts.
func isStandardContext(address string) bool {
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(address, "http://")
	}
	if !ok {
		return false
	}
	return strings.HasPrefix(rest, "ref.gs1.org/standards/epcis/") ||
		strings.HasPrefix(rest, "ref.gs1.org/standards/cbv/") ||
		strings.HasPrefix(rest, "gs1.github.io/EPCIS/") ||
		strings.HasPrefix(rest, "id.gs1.org/epcis-context.jsonld")
}
