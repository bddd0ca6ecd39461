// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentry

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// event is an error event, decoded.
type event = map[string]any

// sdkServer accepts what Dify's own Sentry SDK sends, including profiles, and keeps the error events.
type sdkServer struct {
	*httptest.Server

	mu sync.Mutex
	// guarded by mu
	events []event
	faults []string
}

func listenSDK(t *testing.T) *sdkServer {
	t.Helper()
	s := &sdkServer{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *sdkServer) dsn() string { return strings.Replace(s.URL, "://", "://public@", 1) + "/1" }

func (s *sdkServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	events, err := readEvents(req)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.faults = append(s.faults, err.Error())
	}
	s.events = append(s.events, events...)
	_, _ = io.WriteString(w, "{}")
}

func readEvents(req *http.Request) ([]event, error) {
	body, err := gzip.NewReader(req.Body)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(body)
	if _, err := in.ReadBytes('\n'); err != nil {
		return nil, err
	}
	var out []event
	for {
		line, err := in.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) == 0 {
			if err == nil {
				continue
			}
			return out, nil
		}
		var header struct {
			Type   string
			Length int
		}
		if err := json.Unmarshal(line, &header); err != nil {
			return out, err
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return out, err
		}
		if header.Type != "event" {
			continue
		}
		ev := event{}
		if err := json.Unmarshal(payload, &ev); err != nil {
			return out, err
		}
		out = append(out, ev)
	}
}

func (s *sdkServer) received() ([]event, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event{}, s.events...), append([]string{}, s.faults...)
}
