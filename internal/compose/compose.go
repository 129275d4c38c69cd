// Package compose starts what docker-compose.yml describes as processes of this
// machine, for tests on machines that run no containers.
//
// Commands, environment, health checks, the order of start, restart policies,
// volumes and ports are the file's own. A key or a value that the package does
// not know is an error, so that the file and what is tested cannot drift apart.
// What only isolates a container (its read-only file system, its limits) has no
// effect on a process; that services reach each other only over a network that
// they share, and write only into their volumes, is checked where the file names
// an address or a path.
package compose

import (
	"context"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// Load reads compose files, each of which adds to those before it, as Docker does:
// variables are filled in from environment, everything is validated. It refuses
// keys that this package does not know.
func Load(ctx context.Context, environment map[string]string, files ...string) (*types.Project, error) {
	details := types.ConfigDetails{
		WorkingDir:  filepath.Dir(files[0]),
		ConfigFiles: types.ToConfigFiles(files),
		Environment: environment,
	}
	model, err := loader.LoadModelWithContext(ctx, details)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(files[0], known, model); err != nil {
		return nil, err
	}
	return loader.LoadWithContext(ctx, details)
}
