// Package bundle makes scripts from the TypeScript of the verifier, with esbuild:
// the one that the product page loads, and those that test it in node. The same
// sources give the same bytes. It needs the libraries of package-lock.json, which
// `npm ci` puts into node_modules.
package bundle

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// MaxCompressed is what the page's script may have at most, compressed, in bytes.
const MaxCompressed = 40_000

// Ready tells why nothing can be bundled from folder, the verifier's.
func Ready(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, "node_modules/@noble/ed25519")); err != nil {
		return fmt.Errorf("the libraries are not here; run npm ci in gateway/web/verifier: %w", err)
	}
	return nil
}

// Script gives what verifier.js must be.
func Script(folder string) ([]byte, error) {
	script, err := run(folder, api.BuildOptions{
		EntryPoints:       []string{"src/main.ts"},
		Format:            api.FormatIIFE,
		Platform:          api.PlatformBrowser,
		MinifySyntax:      true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		LegalComments:     api.LegalCommentsInline,
	})
	if err != nil {
		return nil, err
	}
	if size := Compressed(script); size > MaxCompressed {
		return nil, fmt.Errorf("the script has %d bytes compressed; the limit is %d", size, MaxCompressed)
	}
	return script, nil
}

// ForNode gives one file of the folder, with all that it imports, as a module that
// node runs.
func ForNode(folder, file string) ([]byte, error) {
	return run(folder, api.BuildOptions{
		EntryPoints: []string{file},
		Format:      api.FormatESModule,
		Platform:    api.PlatformNode,
		Sourcemap:   api.SourceMapInline,
	})
}

// TestsForNode writes the tests of the folder into another one, for `node --test`.
func TestsForNode(folder, into string) error {
	files, err := filepath.Glob(filepath.Join(folder, "test/*.test.ts"))
	if err != nil {
		return err
	}
	for _, file := range files {
		name := filepath.Base(file)
		script, err := ForNode(folder, "test/"+name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(into, strings.TrimSuffix(name, ".ts")+".mjs"), script, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func run(folder string, o api.BuildOptions) ([]byte, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	o.AbsWorkingDir = absolute
	o.Bundle = true
	o.Target = api.ES2022
	o.Charset = api.CharsetUTF8
	o.TsconfigRaw = `{"compilerOptions":{"strict":true,"target":"ES2022","verbatimModuleSyntax":true}}`
	result := api.Build(o)
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("bundle %s:\n%s", o.EntryPoints[0], strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	return result.OutputFiles[0].Contents, nil
}

// Compressed is how many bytes gzip makes of them.
func Compressed(b []byte) int {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Len()
}
