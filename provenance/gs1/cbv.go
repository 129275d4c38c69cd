package gs1

import "strings"

// The forms in which a term of the Core Business Vocabulary is written.
const (
	CBVURN    = "urn"    // urn:epcglobal:cbv:bizstep:shipping
	CBVWebURI = "weburi" // https://ref.gs1.org/cbv/BizStep-shipping
)

// vocabularies of CBV 2.0, section 7, with the fields of an event that hold their terms.
var vocabularies = [...]struct{ web, urn, fields string }{
	{"BizStep-", "bizstep:", " bizstep "},
	{"Disp-", "disp:", " disposition persistentdisposition "},
	{"BTT-", "btt:", " biztransaction biztransactionlist "},
	{"SDT-", "sdt:", " source sourcelist destination destinationlist "},
	{"ER-", "er:", " errordeclaration reason "},
}

// CBVTerm writes a standard term of an event's field, bare, as CURIE (cbv:BizStep-shipping), as URN
// or as web URI, in the given form. Letter case of the field does not matter. What is no standard
// term of the field's vocabulary stays as it is.
func CBVTerm(field, term, form string) string {
	for _, v := range vocabularies {
		if field == "" || strings.ContainsRune(field, ' ') || !strings.Contains(v.fields, " "+strings.ToLower(field)+" ") {
			continue
		}
		bare := term
		for _, prefix := range [...]string{"cbv:" + v.web, "urn:epcglobal:cbv:" + v.urn, "https://ref.gs1.org/cbv/" + v.web} {
			if rest, ok := strings.CutPrefix(term, prefix); ok {
				bare = rest
				break
			}
		}
		if strings.TrimSpace(bare) == "" || strings.ContainsAny(bare, ":/") {
			return term
		}
		switch form {
		case CBVURN:
			return "urn:epcglobal:cbv:" + v.urn + bare
		case CBVWebURI:
			return "https://ref.gs1.org/cbv/" + v.web + bare
		}
	}
	return term
}
