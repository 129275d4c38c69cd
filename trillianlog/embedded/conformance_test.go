package embedded

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian/integration/storagetest"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/testonly"
)

// What of Trillian's suite needs the queue of LOG trees. The package comment
// says so too.
const leftOut = `^TestLogStorageConformance$/^(DequeueLeaves|DequeueLeavesTwoBatches)$`

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		child()
	}
	flag.Parse()
	if flag.Lookup("test.skip").Value.String() == "" {
		if err := flag.Set("test.skip", leftOut); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

func testStore(t testing.TB) *store {
	t.Helper()
	d, err := openDisk(t.TempDir(), vfs.Default, 0, DefaultCacheBytes, silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.stopWaiting()
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return newStore(d)
}

func TestLogStorageConformance(t *testing.T) {
	storagetest.RunLogStorageTests(t, func(_ context.Context, t *testing.T) (storage.LogStorage, storage.AdminStorage) {
		s := testStore(t)
		return s, (*admin)(s)
	})
}

func TestAdminStorageConformance(t *testing.T) {
	tester := &testonly.AdminStorageTester{NewAdminStorage: func() storage.AdminStorage { return (*admin)(testStore(t)) }}
	tester.RunAllTests(t)
}
