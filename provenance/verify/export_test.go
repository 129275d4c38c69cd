package verify

// Reasons are all the ways to fail.
func Reasons() (list []Reason) {
	for r := range reasons {
		list = append(list, r)
	}
	return list
}
