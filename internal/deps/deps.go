// Package deps pins modules.
package deps

import (
	_ "github.com/compose-spec/compose-go/v2/cli"
	_ "github.com/compose-spec/compose-go/v2/loader"
	_ "github.com/evanw/esbuild/pkg/api"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/google/trillian/storage/mysql"
	_ "github.com/pressly/goose/v3"
	_ "github.com/pressly/goose/v3/lock"
	_ "k8s.io/klog/v2"
)
