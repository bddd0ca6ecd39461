// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Limits of Relay's default configuration.
const (
	maxItems         = 500
	maxEventSize     = 1 << 20
	maxLogItemSize   = 12 << 20
	maxLogSize       = 2 << 20
	maxReportsInSum  = 100 << 10
	maxClientReports = 100
)

var hex32 = regexp.MustCompile(`^[0-9a-f]{32}$`)

// envelope is a request's body after the check of its framing.
type envelope struct {
	EventID string          `json:"event_id"`
	SentAt  string          `json:"sent_at"`
	DSN     string          `json:"dsn"`
	SDK     json.RawMessage `json:"sdk"`
	Trace   json.RawMessage `json:"trace"`

	items []envelopeItem
}

type envelopeItem struct {
	Type        string `json:"type"`
	ContentType string `json:"content_type"`
	Length      *int   `json:"length"`
	ItemCount   *int   `json:"item_count"`

	payload []byte
}

// refusal is a response other than 200, with the reason in its body.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string {
	return r.reason
}

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, reason: fmt.Sprintf(format, args...)}
}

func bad(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

// parseEnvelope reads the framing: a header line, then per item a header line and its payload.
func parseEnvelope(body []byte) (*envelope, error) {
	if len(body) == 0 {
		return nil, bad("empty request body")
	}
	head, rest, _ := bytes.Cut(body, []byte{'\n'})
	var env envelope
	if err := json.Unmarshal(head, &env); err != nil {
		return nil, bad("bad envelope header: %v", err)
	}
	for len(rest) > 0 {
		item, tail, err := parseItem(rest)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", len(env.items)+1, err)
		}
		env.items = append(env.items, item)
		rest = tail
	}
	return &env, nil
}

// parseItem reads one item and returns the remaining bytes. Relay accepts items without a length; the sink does not,
// because a payload with a line break would be cut.
func parseItem(rest []byte) (item envelopeItem, tail []byte, err error) {
	head, body, found := bytes.Cut(rest, []byte{'\n'})
	if !found {
		return item, nil, bad("no newline after the item's header")
	}
	if err := json.Unmarshal(head, &item); err != nil {
		return item, nil, bad("bad item header: %v", err)
	}
	switch {
	case item.Type == "":
		return item, nil, bad("item header without a type")
	case item.Length == nil:
		return item, nil, bad("item header without a length")
	case *item.Length < 0 || *item.Length > len(body):
		return item, nil, bad("length %d, but only %d bytes follow", *item.Length, len(body))
	}
	item.payload = body[:*item.Length]
	tail = body[*item.Length:]
	if len(tail) > 0 && tail[0] != '\n' {
		return item, nil, bad("no newline after the %d bytes of the payload", *item.Length)
	}
	return item, bytes.TrimPrefix(tail, []byte{'\n'}), nil
}

// check applies the rules that Relay enforces before it responds.
func (e *envelope) check() error {
	if e.EventID != "" && !hex32.MatchString(e.EventID) {
		return bad("event_id is not 32 lower-case hexadecimal digits")
	}
	if e.SentAt != "" {
		if _, err := time.Parse(time.RFC3339Nano, e.SentAt); err != nil {
			return bad("sent_at is not an RFC 3339 time")
		}
	}
	if len(e.items) == 0 {
		return bad("no item in the envelope")
	}
	if len(e.items) > maxItems {
		return bad("%d items, at most %d", len(e.items), maxItems)
	}
	if err := e.checkCounts(); err != nil {
		return err
	}
	for _, item := range e.items {
		if err := e.checkItem(item); err != nil {
			return err
		}
	}
	return nil
}

// checkCounts allows one event or transaction and one item of logs. Relay rejects a second one as too large.
func (e *envelope) checkCounts() error {
	events, logs, reports, reportBytes := 0, 0, 0, 0
	for _, item := range e.items {
		switch item.Type {
		case "event", "transaction":
			events++
		case "log":
			logs++
		case "client_report":
			reports++
			reportBytes += len(item.payload)
		}
	}
	var err error
	if events > 1 {
		err = errors.Join(err, fmt.Errorf("%d events and transactions in one envelope", events))
	}
	if logs > 1 {
		err = errors.Join(err, fmt.Errorf("%d log items in one envelope", logs))
	}
	if reports > maxClientReports || reportBytes > maxReportsInSum {
		err = errors.Join(err, fmt.Errorf("%d client reports of %d bytes", reports, reportBytes))
	}
	if err != nil {
		return refuse(http.StatusRequestEntityTooLarge, "%v", err)
	}
	return nil
}

func (e *envelope) checkItem(item envelopeItem) error {
	switch item.Type {
	case "event", "transaction":
		if e.EventID == "" {
			return bad("%s without event_id in the envelope's header", item.Type)
		}
		if len(item.payload) > maxEventSize {
			return refuse(http.StatusRequestEntityTooLarge, "%s of %d bytes", item.Type, len(item.payload))
		}
		if !isObject(item.payload) {
			return bad("%s is not a JSON object", item.Type)
		}
	case "log":
		return checkLogItem(item)
	case "client_report":
		if !isObject(item.payload) {
			return bad("client_report is not a JSON object")
		}
	default:
		return bad("unknown item type %q", item.Type)
	}
	return nil
}

func checkLogItem(item envelopeItem) error {
	switch {
	case item.ContentType != "application/vnd.sentry.items.log+json":
		return bad("log item with content_type %q", item.ContentType)
	case item.ItemCount == nil || *item.ItemCount < 1:
		return bad("log item without item_count")
	case len(item.payload) > maxLogItemSize || len(item.payload) / *item.ItemCount > maxLogSize:
		return refuse(http.StatusRequestEntityTooLarge, "log item of %d bytes", len(item.payload))
	}
	return nil
}
