package gateway_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tallyroot/tallyroot/gateway"
	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
)

// certificate makes one for 127.0.0.1.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

func (h *host) dial(creds credentials.TransportCredentials) *grpc.ClientConn {
	h.t.Helper()
	conn, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return conn
}

func as(token string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
}

func TestGRPC(t *testing.T) {
	for _, mode := range []string{"h2c", "TLS"} {
		t.Run(mode, func(t *testing.T) {
			var creds credentials.TransportCredentials = insecure.NewCredentials()
			change := func(*gateway.Options) {}
			if mode == "TLS" {
				config := certificate(t)
				change = func(o *gateway.Options) { o.TLS = config }
				creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
			}
			h := open(t, change)
			conn := h.dial(creds)
			client := v1.NewEventServiceClient(conn)

			var header metadata.MD
			logged, err := client.LogEvent(as(h.farm), &v1.LogEventRequest{Event: &httpbody.HttpBody{Data: []byte(event(1))}}, grpc.Header(&header))
			if err != nil {
				t.Fatal(err)
			}
			if logged.Index == nil || logged.GetReceipt() == "" || len(logged.LeafHash) != 32 || strings.Join(header["tallyroot-status"], ",") != "201" {
				t.Errorf("%v, header %v", logged, header)
			}
			again, err := client.LogEvent(as(h.farm), &v1.LogEventRequest{
				Event: &httpbody.HttpBody{ContentType: "application/ld+json; charset=utf-8", Data: []byte(event(1))}, Timeout: durationpb.New(5 * time.Second),
			}, grpc.Header(&header))
			if err != nil || again.GetIndex() != logged.GetIndex() || strings.Join(header["tallyroot-status"], ",") != "200" {
				t.Errorf("again: %v, %v, header %v", again, err, header)
			}
			// REST on the same port says the same.
			if a := h.log(event(1)); a.Status != http.StatusOK || a.object(t)["eventId"] != logged.EventId {
				t.Errorf("REST: %v", a)
			}

			_, err = client.LogEvent(as(h.farm), &v1.LogEventRequest{Event: &httpbody.HttpBody{Data: []byte(`{"type":"ObjectEvent"}`)}})
			st := status.Convert(err)
			bad, ok := st.Details()[0].(*errdetails.BadRequest)
			if st.Code() != codes.InvalidArgument || !ok || len(bad.FieldViolations) < 3 {
				t.Errorf("a bad event: %v %v", err, st.Details())
			}
			for _, c := range []struct {
				ctx  context.Context
				body *httpbody.HttpBody
				want codes.Code
			}{
				{context.Background(), &httpbody.HttpBody{Data: []byte(event(2))}, codes.Unauthenticated},
				{as("wrong"), &httpbody.HttpBody{Data: []byte(event(2))}, codes.Unauthenticated},
				{as(h.admin), &httpbody.HttpBody{Data: []byte(event(2))}, codes.PermissionDenied},
				{as(h.farm), &httpbody.HttpBody{ContentType: "text/plain", Data: []byte(event(2))}, codes.InvalidArgument},
				{as(h.farm), &httpbody.HttpBody{Data: make([]byte, 1<<20+1)}, codes.InvalidArgument},
				{as(h.farm), nil, codes.InvalidArgument},
			} {
				if _, err := client.LogEvent(c.ctx, &v1.LogEventRequest{Event: c.body}); status.Code(err) != c.want {
					t.Errorf("%v: %v, want %v", c.body.GetContentType(), err, c.want)
				}
			}
			batch, err := client.LogEvents(as(h.farm), &v1.LogEventsRequest{Events: &httpbody.HttpBody{Data: []byte("[" + event(3) + ",1]")}})
			if err != nil || len(batch.Results) != 2 || batch.Results[0].Status != 201 || batch.Results[1].Status != 400 {
				t.Errorf("batch: %v, %v", batch, err)
			}
			read, err := client.GetEvent(context.Background(), &v1.GetEventRequest{Index: logged.Index})
			if err != nil || read.EventId != logged.EventId {
				t.Errorf("read: %v, %v", read, err)
			}
			if _, err := client.GetEvent(context.Background(), &v1.GetEventRequest{Index: proto.Uint64(1000)}); status.Code(err) != codes.NotFound {
				t.Errorf("an index that is not there: %v", err)
			}
			h.indexed()
			history, err := v1.NewHistoryServiceClient(conn).GetHistory(context.Background(), &v1.GetHistoryRequest{Id: "urn:epc:id:sgtin:950600.0013435.S1"})
			if err != nil || len(history.Positions) != 1 || len(history.Participants) != 2 {
				t.Errorf("history: %v, %v", history, err)
			}
			people, err := v1.NewParticipantServiceClient(conn).ListParticipants(as(h.admin), &v1.ListParticipantsRequest{})
			if err != nil || len(people.Participants) != 2 {
				t.Errorf("participants: %v, %v", people, err)
			}
			inclusion, err := v1.NewLogServiceClient(conn).GetInclusionProof(context.Background(), &v1.GetInclusionProofRequest{Index: logged.Index})
			if err != nil || string(inclusion.LeafHash) != string(logged.LeafHash) {
				t.Errorf("inclusion: %v, %v", inclusion, err)
			}
		})
	}
}

// tool is a program that the test suite installs; the test is skipped without.
func tool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := filepath.Abs(filepath.Join("..", "build", "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Skipf("%s is not installed; make test installs it", name)
	}
	return path
}

func TestGrpcurl(t *testing.T) {
	h := open(t, nil)
	grpcurl := tool(t, "grpcurl")
	run := func(args ...string) string {
		out, err := exec.Command(grpcurl, append([]string{"-plaintext"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("grpcurl %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := run(h.addr, "list"); !strings.Contains(out, "tallyroot.v1.EventService") {
		t.Errorf("list: %s", out)
	}
	data := fmt.Sprintf(`{"event":{"contentType":"application/json","data":"%s"}}`, b64(event(1)))
	out := run("-H", "authorization: Bearer "+h.farm, "-d", data, h.addr, "tallyroot.v1.EventService/LogEvent")
	if !strings.Contains(out, `"receipt": "c2sp.org/tlog-proof@v1`) {
		t.Errorf("LogEvent: %s", out)
	}
	if out := run("-d", `{"index":"3"}`, h.addr, "tallyroot.v1.EventService/GetEvent"); !strings.Contains(out, `"participant": "farm"`) {
		t.Errorf("GetEvent: %s", out)
	}
}

func TestCurl(t *testing.T) {
	config := certificate(t)
	for _, c := range []struct {
		name string
		tls  *tls.Config
		args []string
		want string
	}{
		{"HTTP/1.1", nil, []string{"--http1.1"}, "1.1 201"},
		{"h2c", nil, []string{"--http2-prior-knowledge"}, "2 201"},
		{"HTTP/1.1 over TLS", config, []string{"--insecure", "--http1.1"}, "1.1 201"},
		{"HTTP/2 over TLS", config, []string{"--insecure", "--http2"}, "2 201"},
	} {
		t.Run(c.name, func(t *testing.T) {
			curl := tool(t, "curl")
			h := open(t, func(o *gateway.Options) { o.TLS = c.tls })
			args := append([]string{"--silent", "--show-error", "--write-out", "\n%{http_version} %{http_code}",
				"--header", "Authorization: Bearer " + h.farm, "--json", event(1), h.URL + "/v1/events"}, c.args...)
			out, err := exec.Command(curl, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.HasSuffix(string(out), "\n"+c.want) || !strings.Contains(string(out), `"receipt":"c2sp.org/tlog-proof@v1`) {
				t.Errorf("%s", out)
			}
		})
	}
}

// begin sends a POST's header and the beginning of its body.
func (h *host) begin(path, body string, length int) net.Conn {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, h.farm, length, body)
	return conn
}

// A client that stops in the middle of its body is answered and let go, and
// nothing of it is logged.
func TestSlowClient(t *testing.T) {
	h := open(t, func(o *gateway.Options) {
		o.Limits.ReadTimeout = 200 * time.Millisecond
		o.Limits.HeaderTimeout = 200 * time.Millisecond
	})
	before, _ := h.service.Published()
	body := "[" + event(1) + "," + event(2)
	conn := h.begin("/v1/events:batch", body, len(body)+100)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "send it again") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	// A header that never ends is let go too.
	slow, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprint(slow, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-")
	if err := slow.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(slow); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
	if after, _ := h.service.Published(); after.Size != before.Size {
		t.Errorf("the log grew from %d to %d", before.Size, after.Size)
	}
}

// A connection that closes in the middle of a batch logs none of it; the batch
// sent again is logged once.
func TestClosedInMidBatch(t *testing.T) {
	h := open(t, nil)
	before, _ := h.service.Published()
	batch := "[" + event(1) + "," + event(2) + "," + event(3) + "]"
	conn := h.begin("/v1/events:batch", batch[:len(batch)/2], len(batch))
	conn.(*net.TCPConn).CloseWrite()
	// The server answers what is left to answer, and closes.
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), "broke off") {
		t.Errorf("%s", answer)
	}
	if after, _ := h.service.Published(); after.Size != before.Size {
		t.Errorf("the log grew from %d to %d", before.Size, after.Size)
	}
	a := h.do("POST", "/v1/events:batch", h.farm, []byte(batch), "Content-Type", "application/json")
	if a.Status != http.StatusOK {
		t.Fatal(a)
	}
	if after, _ := h.service.Published(); after.Size != before.Size+3 {
		t.Errorf("the log grew from %d to %d", before.Size, after.Size)
	}
}

// What was sent whole is logged though its sender is gone, and is found when it
// is sent again.
func TestClosedBeforeTheAnswer(t *testing.T) {
	h := open(t, nil)
	batch := "[" + event(1) + "," + event(2) + "]"
	conn := h.begin("/v1/events:batch", batch, len(batch))
	conn.Close()
	a := h.do("POST", "/v1/events:batch", h.farm, []byte(batch), "Content-Type", "application/json")
	if a.Status != http.StatusOK {
		t.Fatal(a)
	}
	places := map[any]bool{}
	for _, r := range a.object(t)["results"].([]any) {
		m := r.(map[string]any)
		if s := m["status"]; s != 200.0 && s != 201.0 {
			t.Errorf("%v", m)
		}
		places[m["index"]] = true
	}
	if again := h.do("POST", "/v1/events:batch", h.farm, []byte(batch), "Content-Type", "application/json"); len(places) != 2 || !strings.Contains(string(again.Body), `"status":200`) {
		t.Errorf("%v", again)
	}
	if st, _ := h.service.Published(); st.Size != 5 { // genesis, two participants, two events
		t.Errorf("the log has %d entries", st.Size)
	}
}
