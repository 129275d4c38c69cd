package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/gateway/qr"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// demoOrigin is the name of the demonstration's log.
const demoOrigin = "demo.tallyroot.example/log"

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "a whole supply chain on this machine, to look at",
		Description: "Starts the service on a log of its own, logs how apples and pears become jars of purée on\n" +
			"a shop's shelf, as six participants would, prints where the page of one jar is, with its QR\n" +
			"code, and goes on serving until it is interrupted. A second start finds the log again.\n\n" +
			"Its people and companies do not exist. Nobody vouches for its log but this machine: it runs\n" +
			"with --policy none. With --witnesses, two witnesses and an index-verifier run beside it, each a\n" +
			"process with a memory of its own, and nothing is published that not all of them have cosigned.\n\n" +
			"Examples:\n" +
			"  tallyroot demo\n" +
			"  tallyroot demo --witnesses\n" +
			"  tallyroot demo --listen 0.0.0.0:8080     so that a phone in the same network can scan the code\n" +
			"  tallyroot demo --open=false --data /tmp/demo --listen 127.0.0.1:0",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Usage: "keep the log in `DIRECTORY`; by default in the user's cache", TakesFile: true},
			&cli.StringFlag{Name: "listen", Usage: "take connections at `HOST:PORT`; port 0 is a free one", Value: defaultListen, DefaultText: defaultListen + ", or a free port if that is taken"},
			&cli.StringFlag{Name: "public-url", Usage: "the `URL` that stands in QR codes; by default the address that it listens at"},
			&cli.BoolFlag{Name: "witnesses", Usage: "start two witnesses and an index-verifier beside it, with policies that need them"},
			&cli.BoolFlag{Name: "open", Usage: "open the page in a browser, when this is a terminal", Value: true},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON line instead, for programs", Category: categoryOutput},
		},
		Action: runDemo,
	}
}

// demoResult is what --json prints.
type demoResult struct {
	URL    string `json:"url"`    // where it listens
	Page   string `json:"page"`   // the jar's page
	ID     string `json:"id"`     // the jar
	Data   string `json:"data"`   // the directory
	Events int    `json:"events"` // in the story
	Logged int    `json:"logged"` // of these, logged by this start
	// With --witnesses: the files of the policies that need them, and the
	// index-verifier's name in the second.
	Policy        string `json:"policy,omitempty"`
	IndexPolicy   string `json:"indexPolicy,omitempty"`
	IndexVerifier string `json:"indexVerifier,omitempty"`
}

func runDemo(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir, err := demoDir(c.String("data"))
	if err != nil {
		return err
	}
	entries, err := demoEntries()
	if err != nil {
		return err
	}
	listener, err := demoListen(c)
	if err != nil {
		return err
	}
	var watched *demoWitnesses // nil: --policy none
	if c.Bool("witnesses") {
		if watched, err = startDemoWitnesses(dir, listenedURL(listener, false)); err != nil {
			return errors.Join(err, listener.Close())
		}
		defer func() { err = errors.Join(err, watched.end()) }() // after the log, which asks them to the last
	}
	var ready atomic.Bool
	s, err := openDemo(c, dir, listener, watched, func() error {
		if !ready.Load() {
			return errors.New("the demonstration is being logged")
		}
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	d := &demo{server: s, dir: dir, watched: watched, out: demoOutput(c.Bool("json"))}
	logged, err := d.log(ctx, entries)
	if err != nil {
		cancel()
		if c.Context.Err() != nil { // interrupted: not a failure
			return <-ended
		}
		return errors.Join(err, <-ended)
	}
	result := demoResult{URL: s.URL(), Page: linkAt(s.PublicURL, demoItem), ID: demoItem, Data: dir, Events: countEvents(entries), Logged: logged}
	watched.tell(&result)
	if err := d.show(result); err != nil {
		cancel()
		return errors.Join(err, <-ended)
	}
	ready.Store(true)
	if c.Bool("open") && d.out == toTerminal {
		openBrowser(linkAt(s.PublicURL, demoItem))
	}
	return <-ended
}

// demoDir is where the log lies.
func demoDir(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	cache, err := os.UserCacheDir()
	if err != nil { // no home: a service account, a container
		return filepath.Abs("tallyroot-demo")
	}
	return filepath.Join(cache, "tallyroot", "demo"), nil
}

// demoListen takes the port. The address that nobody asked for may be taken by
// something else; then any other will do.
func demoListen(c *cli.Context) (net.Listener, error) {
	listener, err := listen(c.Context, c.String("listen"))
	if errors.Is(err, syscall.EADDRINUSE) && !c.IsSet("listen") {
		return listen(c.Context, "127.0.0.1:0")
	}
	return listener, err
}

// openDemo opens the server.
func openDemo(c *cli.Context, dir string, listener net.Listener, watched *demoWitnesses, ready func() error) (*server, error) {
	publicURL, err := checkPublicURL(c.String("public-url"))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if publicURL == "" {
		publicURL = demoPublicURL(c.String("listen"))
	}
	logger := warnings()
	config := serverConfig{
		Log:      provenance.Config{Dir: dir, Origin: demoOrigin, LastCheckpoint: lastCheckpointFile("", dir), Logger: logger},
		Place:    &place{kind: embeddedPlace, logger: logger},
		Listener: listener, PublicURL: publicURL, Ready: ready,
	}
	watched.use(&config)
	return openServer(c.Context, config)
}

// demoPublicURL is where a phone finds a server that listens at every address
// of this machine: at its address in the local network. "" is anywhere else.
func demoPublicURL(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || port == "0" || host != "" && (ip == nil || !ip.IsUnspecified()) {
		return ""
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsPrivate() {
			return "http://" + net.JoinHostPort(n.IP.String(), port)
		}
	}
	return ""
}

func countEvents(entries []demoEntry) (n int) {
	for _, e := range entries {
		if e.ID != "" {
			n++
		}
	}
	return n
}

// An outputKind is how the demonstration speaks.
type outputKind int

const (
	toFile outputKind = iota
	toTerminal
	toProgram
)

func demoOutput(json bool) outputKind {
	switch {
	case json:
		return toProgram
	case term.IsTerminal(int(os.Stdout.Fd())):
		return toTerminal
	}
	return toFile
}

// A demo logs the story into a server of this process, over its REST interface,
// as anybody else would.
type demo struct {
	server  *server
	dir     string
	watched *demoWitnesses // may be nil
	out     outputKind
}

func (d *demo) printf(format string, args ...any) {
	if d.out != toProgram {
		fmt.Printf(format, args...)
	}
}

// log logs what is not in the log yet, and tells how many events that were.
func (d *demo) log(ctx context.Context, entries []demoEntry) (logged int, err error) {
	d.printf("Tallyroot's demonstration, on a log of its own in %s\n", d.dir)
	d.printf("%s\n", d.watched)
	public, err := client.New(d.server.URL(), "")
	if err != nil {
		return 0, err
	}
	there, err := d.there(ctx, public, entries)
	if err != nil {
		return 0, err
	}
	if there {
		d.printf("The log has its %s already: nothing to log.\n", countNoun(countEvents(entries), "event"))
		return 0, nil
	}
	clients, err := d.participants(ctx)
	if err != nil {
		return 0, err
	}
	events, done := countEvents(entries), 0
	for _, e := range entries {
		resp, err := clients[e.By].Do(ctx, client.Request{Method: http.MethodPost, Path: "/v1/events", Query: url.Values{"timeout": {"60s"}}, Type: client.TypeJSON, Body: e.JSON})
		if err != nil {
			return logged, fmt.Errorf("log the demonstration, as %s: %w", e.By, err)
		}
		if resp.Status == http.StatusAccepted {
			return logged, errors.New("the log takes too long to publish a checkpoint: start the demonstration again")
		}
		if e.ID == "" {
			continue
		}
		done++
		if resp.Status == http.StatusCreated {
			logged++
		}
		if d.out == toTerminal {
			fmt.Printf("\r\x1b[KLogging %d of %d events … as %s", done, events, e.By)
		}
	}
	if d.out == toTerminal {
		fmt.Print("\r\x1b[K")
	}
	if err := waitIndexed(ctx, public); err != nil {
		return logged, fmt.Errorf("wait for the history index: %w", err)
	}
	d.printf("Logged %s by %s. Each one has a receipt.\n", countNoun(logged, "event"), countNoun(len(clients), "participant"))
	return logged, nil
}

// there tells whether the whole story is in the log: its last event is, and
// they are logged in order.
func (d *demo) there(ctx context.Context, public *client.Client, entries []demoEntry) (bool, error) {
	_, err := public.Do(ctx, client.Request{Method: http.MethodGet, Path: "/v1/event", Query: url.Values{"id": {entries[len(entries)-1].ID}}})
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// participants adds those that are not there yet, and gives each a token for as
// long as the story takes.
func (d *demo) participants(ctx context.Context) (map[string]*client.Client, error) {
	token, err := os.ReadFile(filepath.Join(d.dir, "admin.token"))
	if err != nil {
		return nil, err
	}
	admin, err := client.New(d.server.URL(), strings.TrimSpace(string(token)))
	if err != nil {
		return nil, err
	}
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	clients := map[string]*client.Client{}
	for _, p := range demoParticipants() {
		var out struct {
			Token string `json:"token"`
		}
		err := admin.JSON(ctx, client.Request{Method: http.MethodPost, Path: "/v1/participants", Once: true},
			participantRequest{ID: p.ID, Name: p.Name, Grants: p.Grants, TokenExpires: &expires}, &out)
		var refused *client.Error
		if errors.As(err, &refused) && refused.Status == http.StatusConflict { // an earlier start was cut off
			err = admin.JSON(ctx, client.Request{Method: http.MethodPost, Path: "/v1/participants/" + p.ID + "/tokens", Once: true},
				map[string]any{"expires": expires}, &out)
		}
		if err != nil {
			return nil, fmt.Errorf("add the participant %s: %w", p.ID, err)
		}
		if clients[p.ID], err = client.New(d.server.URL(), out.Token); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// show says where to look.
func (d *demo) show(r demoResult) error {
	if d.out == toProgram {
		return printJSONLine(os.Stdout, r)
	}
	draw := qr.Plain
	if d.out == toTerminal {
		draw = qr.Text
	}
	code, err := draw(r.Page)
	if err != nil {
		return err
	}
	fmt.Printf("\nThe page of one jar of purée, from the trees to the shelf:\n\n  %s\n\n%s\n", r.Page, code)
	if u, err := url.Parse(r.Page); err == nil {
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			fmt.Printf("To scan it with a phone in the same network, start it with --listen 0.0.0.0:%s\n(and with --public-url URL, if the phone reaches this machine at another address).\n", u.Port())
		}
	}
	if d.watched != nil {
		fmt.Printf("Each receipt and history says who witnessed it: tallyroot verify … %s\n", d.watched.flags())
	}
	fmt.Printf("Look around: %s  The interface for programs: %s/docs\nlistening on %s\n", r.URL, r.URL, r.URL)
	if d.out == toTerminal {
		fmt.Println("Ctrl-C ends it; the next start finds the log again.")
	}
	return nil
}

// openBrowser shows the page, if there is a way to; the address stands in the
// terminal anyway.
func openBrowser(page string) {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "darwin":
		cmd = exec.Command("open", page)
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", page)
	default:
		cmd = exec.Command("xdg-open", page)
	}
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}
