package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// TestConsistencyOfBothLogs: what a reader saw of the log or of the index log once, it
// can hold against what it sees now.
func TestConsistencyOfBothLogs(t *testing.T) {
	h := open(t, nil)
	for log, files := range map[string]interface {
		Checkpoint() (checkpoint.Checkpoint, []byte)
	}{"log": h.service.Tiles(), "index": h.service.IndexTiles()} {
		older, _ := files.Checkpoint()
		h.log(event(len(log)))
		h.indexed()
		newer, _ := files.Checkpoint()
		a := h.get(fmt.Sprintf("/v1/proof/consistency?log=%s&from=%d", log, older.Size))
		var proof struct {
			From, To uint64 `json:",string"`
			Proof    [][]byte
		}
		if err := json.Unmarshal(a.Body, &proof); err != nil || a.Status != http.StatusOK || proof.From != older.Size || proof.To != newer.Size || newer.Size == older.Size {
			t.Fatalf("%s: %v, %v", log, a, err)
		}
		path := make([][32]byte, len(proof.Proof))
		for i, hash := range proof.Proof {
			path[i] = [32]byte(hash)
		}
		if err := newer.Follows(older, path); err != nil {
			t.Errorf("%s: %v", log, err)
		}
	}
	index, _ := h.service.IndexTiles().Checkpoint()
	for query, code := range map[string]int{
		"log=index&from=1&to=1": 200, fmt.Sprintf("log=index&from=1&to=%d", index.Size+1): 404, "log=index&from=2&to=1": 400, "log=index": 400, "log=other&from=1": 400,
	} {
		if a := h.get("/v1/proof/consistency?" + query); a.Status != code {
			t.Errorf("%s: %v, want %d", query, a, code)
		}
	}
}
