package quorum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

const (
	// maxConflicts is how often in one attempt a witness may name another size.
	maxConflicts = 3
	// maxAnswer bounds what is read of an answer, in bytes: sixteen cosignatures of any
	// type fit.
	maxAnswer = 64 << 10
	// maxHeader bounds its header.
	maxHeader = 16 << 10
)

// address gives a witness's prefix without a slash at its end, if it may be asked there.
func address(prefix string, allowHTTP bool) (string, error) {
	u, err := url.Parse(prefix)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%.200q is no address: want https://host/path", prefix)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(prefix, "#"):
		return "", fmt.Errorf("the address %.200q has more than a host and a path", u.Redacted())
	case u.Scheme == "http" && !allowHTTP && !loopback(u.Hostname()):
		return "", fmt.Errorf("the address %.200q is not https: what travels there is no secret, but anybody in between can stop it", prefix)
	}
	return strings.TrimRight(prefix, "/"), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: DefaultTimeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        5 * time.Minute, // a log may be quiet
		TLSHandshakeTimeout:    DefaultTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
}

// answer is what a witness said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send posts one request.
func (f *follower) send(r witness.Request) (*answer, error) {
	ctx, cancel := context.WithTimeout(f.client.life, f.client.options.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(r.Append(nil)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", f.client.options.UserAgent)
	resp, err := f.client.http.Do(req)
	if err != nil {
		var wrapped *url.Error // it repeats the address
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", f.client.options.Timeout)
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer breaks off: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return &answer{resp.StatusCode, resp.Header, body}, nil
}

// attempt asks for one checkpoint, from the size that the witness has.
func (f *follower) attempt(j *job) *outcome {
	for range maxConflicts + 1 {
		proof, err := j.proof(f.size)
		switch {
		case errors.Is(err, errEnded):
			return failed(resultBehind, true, "it is asked again for the next checkpoint: %w", err)
		case err != nil:
			return failed(resultUnproved, false, "%w", err)
		}
		start := time.Now()
		a, err := f.send(witness.Request{Old: f.size, Proof: proof, Note: j.note})
		if err != nil {
			return failed(resultUnreachable, false, "%w", err)
		}
		if a.status == http.StatusOK {
			out := f.accept(j, a.body)
			if out.err == nil {
				f.client.metrics.took(f.label(), time.Since(start))
			}
			return out
		}
		size, ok := a.size()
		if !ok {
			return f.refused(j, a)
		}
		if size == f.size {
			return failed(resultMalformed, true, "asked from size %d, it says that it has cosigned another size, namely %d", f.size, size)
		}
		if size < f.size {
			f.client.logger.Warn("a witness has forgotten what it cosigned", "witness", f.witness.Name, "cosigned", f.size, "says", size)
		}
		if f.client.sees(f.witness, size) {
			return failed(resultAhead, true, "%w", f.client.isAhead())
		}
		f.setSize(size)
		if size > j.Size {
			return failed(resultOvertaken, true, "somebody else has brought it size %d of the log", size)
		}
	}
	return failed(resultMalformed, false, "it named another size %d times in a row", maxConflicts+1)
}

// size is what a 409 names.
func (a *answer) size() (size uint64, ok bool) {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if a.status != http.StatusConflict || err != nil || kind != "text/x.tlog.size" {
		return 0, false
	}
	text, ended := strings.CutSuffix(string(a.body), "\n")
	size, err = strconv.ParseUint(text, 10, 64)
	return size, ended && err == nil && strconv.FormatUint(size, 10) == text
}

// accept takes the cosignature from an answer, if it is the witness's own for this
// checkpoint and its time can be right. Others' lines are left where they are.
func (f *follower) accept(j *job, lines []byte) *outcome {
	n, err := checkpoint.ParseNote(append([]byte(j.note.Text+"\n"), lines...))
	if err == nil && n.Text != j.note.Text {
		err = errors.New("there is a text above them")
	}
	if err != nil {
		return failed(resultMalformed, true, "its answer is no list of cosignatures: %w", err)
	}
	var newest checkpoint.Signature
	for _, s := range n.Signatures {
		if s.Name == f.name && s.KeyID == f.keyID && (newest.Sig == nil || bytes.Compare(s.Sig, newest.Sig) > 0) {
			newest = s
		}
	}
	if newest.Sig == nil {
		return failed(resultMalformed, true, "it cosigns with another key than the policy's, %s", f.witness.Key)
	}
	one := checkpoint.Note{Text: j.note.Text, Signatures: append(j.note.Signatures[:len(j.note.Signatures):len(j.note.Signatures)], newest)}
	v, err := f.alone.Check(one.Append(nil))
	if err != nil {
		return failed(resultMalformed, true, "its cosignature does not hold: %w", err)
	}
	f.setSize(j.Size)
	switch behind := time.Since(v.Time); {
	case -behind > policy.MaxAhead:
		return failed(resultClock, false, "its clock is %s ahead of ours: readers would refuse its cosignature", (-behind).Round(time.Second))
	case behind > policy.DefaultMaxAge:
		return failed(resultClock, false, "its clock is %s behind ours: readers would refuse its cosignature", behind.Round(time.Second))
	}
	return &outcome{sig: newest, at: v.Time, result: resultCosigned}
}

// refused is every other answer.
func (f *follower) refused(j *job, a *answer) *outcome {
	said := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if line, _, _ := bytes.Cut(a.body, []byte("\n")); len(line) > 0 {
		said += fmt.Sprintf(": %.200q", line)
	}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		out := failed(resultBusy, false, "it wants to be asked later (%s)", said)
		if seconds, err := strconv.ParseUint(a.header.Get("Retry-After"), 10, 16); err == nil {
			out.retry = time.Duration(seconds) * time.Second
		}
		return out
	case http.StatusConflict: // the first version of the specification has this for another root
		return failed(resultInconsistent, true, "it has seen another history of this log at size %d (%s)", f.size, said)
	case http.StatusUnprocessableEntity:
		if f.size == j.Size {
			return failed(resultInconsistent, true, "it has seen another history of this log at size %d (%s)", f.size, said)
		}
		return failed(resultInconsistent, true, "it does not take size %d for a continuation of size %d (%s)", j.Size, f.size, said)
	case http.StatusNotFound:
		return failed(resultRefused, true, "it does not follow this log, or its address is another one (%s)", said)
	case http.StatusForbidden:
		return failed(resultRefused, true, "it knows this log by another key (%s)", said)
	}
	if a.status >= 300 && a.status < 400 {
		return failed(resultRefused, true, "it points elsewhere (%s): put that address into the policy: %.200q", said, a.header.Get("Location"))
	}
	if a.status >= 500 {
		return failed(resultFailing, false, "it fails (%s)", said)
	}
	return failed(resultRefused, true, "it does not take the request (%s)", said)
}
