package compose

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
)

// takeAddresses finds n loopback addresses at which nobody listens: each service
// gets one, as a container would, so that ports can be those of the file.
func takeAddresses(n int) ([]string, error) {
	const tries = 20
	for range tries {
		net24 := [4]byte{127, byte(64 + rand.IntN(128)), byte(rand.IntN(256)), 0}
		addresses := make([]string, 0, n)
		for len(addresses) < n {
			net24[3]++
			address := netip.AddrFrom4(net24).String()
			l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
			if err != nil {
				break
			}
			l.Close()
			addresses = append(addresses, address)
		}
		if len(addresses) == n {
			return addresses, nil
		}
	}
	return nil, errors.New("this machine gives no loopback addresses but 127.0.0.1")
}

var (
	// A host and a port, and what may stand behind them: in a DSN, @ may not.
	hostPort = regexp.MustCompile(`([\w.-]+)(:\d+)([/),]|$)`)
	// An argument that is a path, or a flag with one.
	pathArgument = regexp.MustCompile(`^(--?[\w-]+=)?(/.*)$`)
)

// translate turns a text that is meant for the service's container into one for a
// process of this machine: addresses of services, and paths in volumes.
func (t *Topology) translate(s *service, text string) (string, error) {
	var problems []error
	text = hostPort.ReplaceAllStringFunc(text, func(match string) string {
		m := hostPort.FindStringSubmatch(match)
		switch m[1] {
		case "0.0.0.0", "127.0.0.1", "localhost":
			return s.address + m[2] + m[3]
		}
		other, ok := t.services[m[1]]
		if !ok {
			return match
		}
		if !shareNetwork(s, other) {
			problems = append(problems, fmt.Errorf("%s: it cannot reach %s, with which it shares no network", s.name, m[1]+m[2]))
		}
		return other.address + m[2] + m[3]
	})
	if m := pathArgument.FindStringSubmatch(text); m != nil {
		path, err := t.path(s, m[2])
		if err != nil {
			problems = append(problems, err)
		}
		text = m[1] + path
	}
	return text, errors.Join(problems...)
}

func (t *Topology) translateAll(s *service, texts []string) ([]string, error) {
	out := make([]string, 0, len(texts))
	var problems []error
	for _, text := range texts {
		text, err := t.translate(s, text)
		out = append(out, text)
		problems = append(problems, err)
	}
	return out, errors.Join(problems...)
}

func shareNetwork(a, b *service) bool {
	for name := range a.config.Networks {
		if _, ok := b.config.Networks[name]; ok {
			return true
		}
	}
	return false
}

// path gives the place on this machine of a path in the service's container.
func (t *Topology) path(s *service, path string) (string, error) {
	for _, v := range s.config.Volumes {
		if rest, ok := strings.CutPrefix(filepath.Clean(path), v.Target); ok && (rest == "" || rest[0] == '/') {
			return t.volume(v.Source) + rest, nil
		}
	}
	return "", fmt.Errorf("%s: %s lies in none of its volumes", s.name, path)
}

// volume gives the folder that stands for a volume.
func (t *Topology) volume(name string) string { return filepath.Join(t.dir, "volumes", name) }
