// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Reach returns the status with which the server of a DSN responds to a request that has no content and no key.
func (d DSN) Reach(ctx context.Context, client *http.Client) (int, error) {
	address, err := url.Parse(d.URL)
	if err != nil {
		return 0, err
	}
	return exchange(ctx, client, http.MethodGet, address.Scheme+"://"+address.Host+"/", nil, nil)
}

// SendTest sends an event that says that it is a test, and returns the server's status.
func (d DSN) SendTest(ctx context.Context, client *http.Client) (int, error) {
	now, id := time.Now().UTC().Format(time.RFC3339), strings.ReplaceAll(uuid.NewString(), "-", "")
	event, err := json.Marshal(map[string]any{
		"event_id": id, "timestamp": now, "platform": "other", "level": "info", "logger": "difyctl",
		"message": map[string]any{"formatted": "Test of difyctl doctor: the DSN works"},
	})
	if err != nil {
		return 0, err
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	for _, line := range []any{
		map[string]any{"event_id": id, "sent_at": now},
		map[string]any{"type": "event", "length": len(event), "content_type": "application/json"},
		json.RawMessage(event),
	} {
		if err := encoder.Encode(line); err != nil {
			return 0, err
		}
	}
	return exchange(ctx, client, http.MethodPost, d.URL, body.Bytes(), map[string]string{
		"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": d.auth("difyctl/1.0"), "User-Agent": "difyctl/1.0",
	})
}

func exchange(
	ctx context.Context, client *http.Client, method, address string, body []byte, header map[string]string,
) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}
