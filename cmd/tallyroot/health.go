package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const (
	// healthAnswer is as much as is read of an answer, in bytes.
	healthAnswer = 4 << 10
	// healthLine is as much as is said of it, in characters.
	healthLine = 500
)

func healthCommand() *cli.Command {
	return &cli.Command{
		Name:      "health",
		Usage:     "ask whether a service is ready",
		ArgsUsage: "[URL]",
		Description: "Asks URL and says in one line what it answers: exit code 0 for a status of 200, 1 for\n" +
			"anything else. It is what a container's HEALTHCHECK runs where there is no shell. Without\n" +
			"URL it asks for /readyz at the address where serve listens: --listen and --tls-cert, or\n" +
			"their variables, say where that is.\n\n" +
			"/readyz says whether the service takes and publishes entries; /healthz only whether the\n" +
			"process answers, which is the one to restart it by.\n\n" +
			"Examples:\n" +
			"  tallyroot health\n" +
			"  tallyroot health http://127.0.0.1:8080/healthz --timeout 2s",
		Flags: append(fromEnvironment(
			&cli.StringFlag{Name: "listen", Usage: "the service listens at `HOST:PORT`", Value: defaultListen},
			&cli.StringFlag{Name: "tls-cert", Usage: "it shows the certificate in `FILE`, PEM, and no other is taken", TakesFile: true},
		),
			&cli.DurationFlag{Name: "timeout", Usage: "wait at most `DURATION`", Value: 3 * time.Second},
			jsonFlag(),
		),
		Action: health,
	}
}

func health(c *cli.Context) error {
	target, client, err := healthTarget(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	status, text, err := askHealth(ctx, client, target)
	if c.Bool("json") {
		if err != nil {
			text = err.Error()
		}
		err := printJSON(os.Stdout, struct {
			URL    string `json:"url"`
			Ready  bool   `json:"ready"`
			Status int    `json:"status,omitempty"` // missing: no answer
			Answer string `json:"answer"`
		}{target, status == http.StatusOK, status, text})
		if err == nil && status != http.StatusOK {
			err = silentError{}
		}
		return err
	}
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", target, status, text)
	}
	fmt.Println(printable(text))
	return nil
}

// healthTarget is what to ask, and with what.
func healthTarget(c *cli.Context) (string, *http.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{
		Transport: transport,
		// What leads elsewhere says nothing about the service here.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	switch c.Args().Len() {
	case 0:
	case 1:
		text := c.Args().First()
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return "", nil, usagef("%q is no address to ask: write it like http://127.0.0.1:8080/readyz", text)
		}
		return text, client, nil
	default:
		return "", nil, usagef("%s takes one URL", c.Command.HelpName)
	}
	host, port, err := net.SplitHostPort(c.String("listen"))
	if err != nil {
		return "", nil, usagef("--listen %q: write it like 127.0.0.1:8080", c.String("listen"))
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if file := c.String("tls-cert"); file != "" {
		scheme = "https"
		if transport.TLSClientConfig, err = onlyCertificate(file); err != nil {
			return "", nil, err
		}
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/readyz", client, nil
}

// onlyCertificate takes the first certificate of the file from the server and no
// other one, in whatever name it is: the service is asked at an address that no
// certificate names.
func onlyCertificate(file string) (*tls.Config, error) {
	text, err := readSmallFile(file, 1<<20)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("--tls-cert %s holds no certificate in PEM", file)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(state tls.ConnectionState) error {
			if !slices.Equal(state.PeerCertificates[0].Raw, block.Bytes) {
				return fmt.Errorf("it shows another certificate than %s", file)
			}
			return nil
		},
	}, nil
}

// askHealth gives the status and the answer's lines as one.
func askHealth(ctx context.Context, client *http.Client, target string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return 0, "", fmt.Errorf("%s does not answer: %w", target, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, healthAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("%s does not answer: %w", target, err)
	}
	var said []string
	for text := range strings.Lines(strings.ToValidUTF8(string(body), "?")) {
		if text = strings.Join(strings.Fields(text), " "); text != "" {
			said = append(said, text)
		}
	}
	line := []rune(strings.Join(said, "; "))
	if len(line) > healthLine {
		line = append(line[:healthLine], '…')
	}
	return response.StatusCode, string(line), nil
}
