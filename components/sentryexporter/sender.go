// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

const (
	clientName    = "otelcol-dify.sentry"
	clientVersion = "0.1.0"

	contentTypeEnvelope = "application/x-sentry-envelope"
	maxResponse         = 16 << 10
)

// destination is a project with what its server said about limits and what it has not been told yet.
type destination struct {
	target
	limits  protocol.RateLimits
	reports protocol.Reports
	said    onceByKey
}

// outcome of one request.
type outcome int

const (
	accepted    outcome = iota
	limited             // 429: this item was not taken, others may be
	tooLarge            // 413
	rejected            // any other answer that will not change
	unavailable         // the server or the way to it fails; may pass
)

// sender posts envelopes.
type sender struct {
	client *http.Client
	now    func() time.Time
	logger *zap.Logger
}

// send posts one item, with a report of what was discarded where one is due. The error says why it was not accepted,
// without key and content.
func (s *sender) send(ctx context.Context, dest *destination, it *item.Item) (outcome, error) {
	counts := dest.reports.Take()
	out, err := s.post(ctx, dest, it.EventID, counts, it.EnvelopeItem())
	if out != accepted && out != limited { // a limit takes the item out, the rest of the envelope is taken
		dest.reports.Restore(counts)
	}
	return out, err
}

// report posts what was discarded, alone.
func (s *sender) report(ctx context.Context, dest *destination) {
	counts := dest.reports.Take()
	if len(counts) == 0 {
		return
	}
	if out, _ := s.post(ctx, dest, "", counts); out != accepted && out != limited {
		dest.reports.Restore(counts)
	}
}

func (s *sender) post(ctx context.Context, dest *destination, eventID string, counts map[protocol.Discard]int64, items ...protocol.Item) (outcome, error) {
	if len(counts) > 0 {
		report, err := protocol.ReportItem(counts, s.now())
		if err != nil {
			return rejected, err
		}
		items = append(items, report)
	}
	body, err := protocol.Envelope(eventID, s.now(), items...)
	if err != nil {
		return rejected, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dest.url, body.Reader())
	if err != nil {
		return rejected, errors.New("the request could not be made")
	}
	req.ContentLength = body.Len() // this and GetBody count where it is not compressed
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(body.Reader()), nil }
	req.Header.Set("Content-Type", contentTypeEnvelope)
	req.Header.Set("User-Agent", clientName+"/"+clientVersion)
	req.Header.Set("X-Sentry-Auth", dest.auth)
	resp, err := s.client.Do(req)
	if err != nil {
		return unavailable, networkFault(dest, err)
	}
	defer resp.Body.Close()
	response, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponse)) // what it says is only for the message
	dest.limits.Update(resp.StatusCode, resp.Header, s.now())
	dest.checkServer(resp.Header, s.now(), s.logger)
	return classify(resp.StatusCode, response, dest.host)
}

// networkFault is the cause without the request's URL, which http.Client puts before it.
func networkFault(dest *destination, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("sentry at %s cannot be reached: %w", dest.host, err)
}

// classify tells what an answer means and, for an operator, what to do about it.
func classify(status int, response []byte, host string) (outcome, error) {
	switch {
	case status >= 200 && status < 300:
		return accepted, nil
	case status == http.StatusTooManyRequests:
		return limited, fmt.Errorf("sentry at %s limits the rate (429)", host)
	case status == http.StatusRequestEntityTooLarge:
		return tooLarge, fmt.Errorf("sentry at %s rejected an item as too large (413)", host)
	case status == http.StatusRequestTimeout || status >= 500:
		return unavailable, fmt.Errorf("sentry at %s responded with %d", host, status)
	case status >= 300 && status < 400:
		return rejected, fmt.Errorf("%s redirects (%d): change the dsn to the address that it redirects to, for example https instead of http", host, status)
	case status == http.StatusUnauthorized:
		return rejected, fmt.Errorf("sentry at %s does not accept the key (401): copy the dsn again from the project's settings, Client Keys", host)
	case status == http.StatusForbidden:
		return rejected, fmt.Errorf("sentry at %s rejects the project or its key (403%s): it is unknown or disabled; see the project's settings, Client Keys", host, rejectReason(response))
	case status == http.StatusNotFound:
		return rejected, fmt.Errorf("%s has no envelope endpoint at the dsn's path (404): check host and path; Sentry must be 20.6 or newer", host)
	default:
		return rejected, fmt.Errorf("sentry at %s rejected an item (%d): check the dsn's key and project number", host, status)
	}
}

var rejectionText = regexp.MustCompile(`rejected with_reason: ([A-Za-z_]{1,40})`)

// rejection is the server's reason, if it is the plain word that Relay writes; nothing else of an answer is shown.
func rejectReason(response []byte) string {
	if m := rejectionText.FindSubmatch(response); m != nil {
		return ", " + string(m[1])
	}
	return ""
}
