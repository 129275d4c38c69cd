package epcis

import (
	"slices"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// extensions checks the members of an object in which extensions stand.
func (c *checker) extensions(v jcs.Value) {
	for _, m := range v.Members() {
		c.enter(m.Name)
		c.extension(m.Name, m.Value)
		c.leave()
	}
}

// extension checks the name of a member that EPCIS does not define; its value
// is its sender's affair.
func (c *checker) extension(name string, v jcs.Value) {
	if strings.Contains(name, ":") && !strings.HasPrefix(name, "@") {
		if !isURI(name) {
			c.wrong("is no name that an extension may have", "write a prefix of letters, digits, +, - and . that @context defines, a colon, and a name without spaces, such as example:myField")
			return
		}
		c.prefixes(name, v)
		return
	}
	if strings.HasPrefix(name, "@") || !c.context.defines(name) {
		c.wrong("is no field of EPCIS, and has no prefix", c.didYouMean(name)+"an extension needs a prefix that @context defines, such as example:"+strings.TrimLeft(name, "@"))
		return
	}
	if c.context.remote != "" {
		c.warn("is no field of EPCIS; it is taken for a term of "+c.context.remote+", which is not looked up", strings.TrimSuffix(c.didYouMean(name), " "))
	}
	c.prefixes(name, v)
}

// didYouMean asks for the field of an event whose name is near.
func (c *checker) didYouMean(name string) string {
	if c.problems.full() || c.warnings.full() {
		return ""
	}
	if near := nearestField(name); near != "" {
		return "did you mean " + near + "? "
	}
	return ""
}

// prefixes warns of prefixes that nothing defines, in a name and everything
// inside its value; each once.
func (c *checker) prefixes(name string, v jcs.Value) {
	if c.warnings.full() {
		return
	}
	if prefix, local, ok := strings.Cut(name, ":"); ok && !slices.Contains(c.undefined, prefix) &&
		!strings.HasPrefix(local, "//") && prefix != "urn" && c.context.remote == "" {
		if _, ok := c.context.Namespace(prefix); !ok {
			c.undefined = append(c.undefined, prefix)
			c.warn("the prefix "+quote(prefix)+" is not defined, so it is a namespace of its own", `add {"`+prefix+`": "https://…/"} to @context`)
		}
	}
	switch v.Kind() {
	case jcs.Object:
		outer := c.context
		if inner, ok := v.Get("@context"); ok && definitions(inner) <= MaxDefinitions {
			c.context = outer.inner(inner)
		}
		for _, m := range v.Members() {
			if m.Name != "@context" {
				c.enter(m.Name)
				c.prefixes(m.Name, m.Value)
				c.leave()
			}
		}
		c.context = outer
	case jcs.Array:
		for i, item := range v.Items() {
			c.enterItem(i)
			c.prefixes("", item)
			c.leave()
		}
	}
}
