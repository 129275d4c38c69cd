package compose

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// keys are the members that a mapping may have, "*" standing for any name; nil
// is a value that is looked at elsewhere, or that has no meaning for a process.
type keys map[string]keys

var known = keys{
	"name": nil,
	"services": {"*": {
		"image": nil, "entrypoint": nil, "command": nil, "environment": nil,
		"restart": nil, "stop_grace_period": nil,
		"depends_on": {"*": {"condition": nil, "required": nil}},
		"volumes":    {"type": nil, "source": nil, "target": nil, "read_only": nil, "volume": {}},
		"ports":      {"target": nil, "published": nil, "host_ip": nil, "protocol": nil, "mode": nil},
		"networks":   {"*": {}},
		// How often is asked, and when to give up, is the tests' affair.
		"healthcheck": {"test": nil, "timeout": nil, "interval": nil, "retries": nil, "start_period": nil, "start_interval": nil},
		// Around a process there is no container.
		"build": {"context": nil, "dockerfile": nil, "args": nil}, "pull_policy": nil,
		"read_only": nil, "cap_drop": nil, "security_opt": nil, "pids_limit": nil, "mem_limit": nil, "logging": nil,
	}},
	"networks": {"*": {"name": nil, "internal": nil}},
	"volumes":  {"*": {"name": nil}},
}

// checkKeys finds what is not among the keys. Where names the value.
func checkKeys(where string, k keys, value any) error {
	if k == nil {
		return nil
	}
	var problems []error
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			sub, ok := k[name]
			if !ok {
				sub, ok = k["*"]
			}
			switch {
			case ok:
				problems = append(problems, checkKeys(where+": "+name, sub, value[name]))
			case !strings.HasPrefix(name, "x-"): // an extension is there for its anchor
				problems = append(problems, fmt.Errorf("%s: %s: internal/compose does not know this key, so its tests would not test it", where, name))
			}
		}
	case []any:
		for _, item := range value {
			problems = append(problems, checkKeys(where, k, item))
		}
	}
	return errors.Join(problems...)
}
