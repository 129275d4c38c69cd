package epcis

// MaxProblems is how many problems, and how many warnings, Validate gives of
// one event; whoever has more is told that there are more.
const MaxProblems = 25

// Problem is one thing that is wrong with an event, or that its sender should
// know.
type Problem struct {
	Path  string // of the field, such as "sensorElementList[0].sensorReport[1].value"; "" for the event as a whole
	Wrong string // what is wrong with it
	Want  string // what would be right; may be ""
}

// String is one sentence: where, what, and what to do.
func (p Problem) String() string {
	s := p.Wrong
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Want != "" {
		s += "; " + p.Want
	}
	return s
}

// findings gathers problems up to MaxProblems.
type findings struct {
	list []Problem
	more bool
}

// full tells whether there is no room for another, so that nobody spends time
// on wording it.
func (f *findings) full() bool { return len(f.list) >= MaxProblems }

func (f *findings) add(path, wrong, want string) {
	if f.full() {
		f.more = true
		return
	}
	f.list = append(f.list, Problem{path, wrong, want})
}

// done gives what was gathered, the last place told to whoever has more.
func (f *findings) done() []Problem {
	if f.more {
		f.list = append(f.list, Problem{Wrong: "there is more of this kind than is listed", Want: "correct these first and send the event again"})
	}
	return f.list
}
