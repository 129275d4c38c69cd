package mysql_test

import (
	"fmt"
	"testing"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
)

func BenchmarkAppend(b *testing.B) {
	for _, atOnce := range []int{1, 100} {
		b.Run(fmt.Sprint(atOnce), func(b *testing.B) {
			backendtest.BenchmarkAppend(b, newSubject(b, mariadb.Shared(b)), atOnce)
		})
	}
}
