// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

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
	contentTypeEnvelope = "application/x-sentry-envelope"
	maxResponse         = 16 << 10
)

// outcome of one request.
type outcome int

const (
	accepted    outcome = iota
	limited             // 429: this item was not accepted; the rest of the envelope may be
	tooLarge            // 413
	rejected            // any other response that a retry would not change
	unavailable         // the server or the way to it fails; temporary
)

// poster sends envelopes.
type poster struct {
	client    *http.Client
	userAgent string
	now       func() time.Time
	logger    *zap.Logger
}

// postItem sends one item, with a client report if there is something to report. The error says why the item was not
// accepted, without the DSN's key and without content.
func (p *poster) postItem(ctx context.Context, dest *Destination, it *item.Item) (outcome, error) {
	return p.post(ctx, dest, it.EventID, it.EnvelopeItem())
}

// postReport sends a client report alone, if there is something to report.
func (p *poster) postReport(ctx context.Context, dest *Destination) {
	_, _ = p.post(ctx, dest, "") // what was not accepted is reported later
}

// post sends an envelope, to which it adds the destination's client report.
func (p *poster) post(ctx context.Context, dest *Destination, eventID string, items ...protocol.Item) (outcome, error) {
	counts := dest.reports.Take()
	out, err := p.postEnvelope(ctx, dest, eventID, counts, items)
	if out != accepted && out != limited { // a rate limit drops the item only
		dest.reports.Restore(counts)
	}
	return out, err
}

func (p *poster) postEnvelope(
	ctx context.Context, dest *Destination, eventID string, counts map[protocol.Discard]int64, items []protocol.Item,
) (outcome, error) {
	if len(counts) > 0 {
		report, err := protocol.ReportItem(counts, p.now())
		if err != nil {
			return rejected, err
		}
		items = append(items, report)
	}
	if len(items) == 0 {
		return accepted, nil
	}
	req, err := p.newRequest(ctx, dest, eventID, items)
	if err != nil {
		return rejected, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return unavailable, networkError(dest, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponse)) // used for the message only
	dest.limits.Update(resp.StatusCode, resp.Header, p.now())
	dest.checkServerClock(resp.Header, p.now(), p.logger)
	return classify(resp.StatusCode, body, dest.Host)
}

func (p *poster) newRequest(
	ctx context.Context,
	dest *Destination,
	eventID string,
	items []protocol.Item,
) (*http.Request, error) {
	body, err := protocol.Envelope(eventID, p.now(), items...)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dest.URL, body.Reader())
	if err != nil {
		return nil, errors.New("the request could not be created")
	}
	req.ContentLength = body.Len() // this and GetBody are used if the body is not compressed
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(body.Reader()), nil }
	req.Header.Set("Content-Type", contentTypeEnvelope)
	req.Header.Set("User-Agent", p.userAgent)
	req.Header.Set("X-Sentry-Auth", dest.auth(p.userAgent))
	return req, nil
}

// networkError returns the cause without the request's URL, which http.Client puts in front of it.
func networkError(dest *Destination, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("sentry at %s cannot be reached: %w", dest.Host, err)
}

// classify returns what a response means. Its error says what an operator can do about it.
func classify(status int, body []byte, host string) (outcome, error) {
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
		return rejected, fmt.Errorf("%s redirects (%d): change the dsn to the address that it redirects to, "+
			"for example https instead of http", host, status)
	case status == http.StatusUnauthorized:
		return rejected, fmt.Errorf("sentry at %s does not accept the key (401): copy the dsn again from the project's "+
			"settings, Client Keys", host)
	case status == http.StatusForbidden:
		return rejected, fmt.Errorf("sentry at %s rejects the project or its key (403%s): it is unknown or disabled; "+
			"see the project's settings, Client Keys", host, rejectReason(body))
	case status == http.StatusNotFound:
		return rejected, fmt.Errorf("%s has no envelope endpoint at the dsn's path (404): check host and path; "+
			"Sentry must be 20.6 or newer", host)
	default:
		return rejected, fmt.Errorf(
			"sentry at %s rejected an item (%d): check the dsn's key and project number",
			host,
			status,
		)
	}
}

var rejectReasonText = regexp.MustCompile(`rejected with_reason: ([A-Za-z_]{1,40})`)

// rejectReason returns the server's reason, if it is the single word that Relay writes. Nothing else of a response is
// shown.
func rejectReason(body []byte) string {
	if m := rejectReasonText.FindSubmatch(body); m != nil {
		return ", " + string(m[1])
	}
	return ""
}
