// Package tallyrootv1 is Tallyroot's API: messages, gRPC services and their
// REST routes, generated from the proto files beside it by scripts/generate.sh.
package tallyrootv1

import _ "embed"

// OpenAPI is the OpenAPI 3.1 document of the REST surface.
//
//go:embed openapi.json
var OpenAPI []byte
