package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
)

// TestLargeMessagesNeedAToken sends more than a small message over gRPC. Whoever
// has no good token is stopped while it sends, not when it has sent all.
func TestLargeMessagesNeedAToken(t *testing.T) {
	h := open(t, nil)
	events := v1.NewEventServiceClient(h.dial(insecure.NewCredentials()))
	large := &v1.LogEventsRequest{Events: &httpbody.HttpBody{ContentType: "application/x-ndjson", Data: []byte(event(1) + strings.Repeat("\n", 1<<20))}}
	for name, ctx := range map[string]context.Context{"none": context.Background(), "a wrong one": as("tallyroot_farm_1_x")} {
		if _, err := events.LogEvents(ctx, large); err == nil || status.Code(err) == codes.Internal {
			t.Errorf("with the token %s: %v", name, err)
		}
	}
	resp, err := events.LogEvents(as(h.farm), large)
	if err != nil || len(resp.Results) != 1 || resp.Results[0].Status != http.StatusCreated {
		t.Errorf("with a good token: %v, %v", resp, err)
	}
}

// TestNobodyHoldsLargeMessages begins a large message and does not end it: without
// a token the answer comes all the same, so nothing of it is kept.
func TestNobodyHoldsLargeMessages(t *testing.T) {
	h := open(t, nil)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	body, sender := io.Pipe()
	t.Cleanup(func() { sender.Close() })
	go sender.Write(append([]byte{0, 2, 0, 0, 0}, make([]byte, 128<<10)...)) // of 32 MiB
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", h.URL+"/tallyroot.v1.EventService/LogEvents", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if code := resp.Header.Get("Grpc-Status") + resp.Trailer.Get("Grpc-Status"); code == "" || code == "0" {
		t.Errorf("the status is %q", code)
	}
}
