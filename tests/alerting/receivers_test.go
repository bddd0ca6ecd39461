// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// heard has the received texts.
type heard struct {
	mu    sync.Mutex
	texts []string
}

func (h *heard) add(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.texts = append(h.texts, text)
}

// of reports whether any text contains all the words.
func (h *heard) of(words ...string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, text := range h.texts {
		all := true
		for _, word := range words {
			all = all && strings.Contains(text, word)
		}
		if all {
			return true
		}
	}
	return false
}

// webhook receives what Alertmanager posts: one text per alert, with its status and name.
type webhook struct {
	heard
	url string
}

func newWebhook(t *testing.T) *webhook {
	t.Helper()
	h := &webhook{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct {
			Alerts []struct {
				Status string            `json:"status"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, alert := range message.Alerts {
			h.add(alert.Status + " " + alert.Labels["alertname"])
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// mailbox is an SMTP server: one text per mail, with its envelope.
type mailbox struct {
	heard
	host, port string
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &mailbox{}
	m.host, m.port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { m.serve(conn) })
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, listener.Close())
		open.Wait()
	})
	return m
}

// serve implements the part of RFC 5321 that a sender without login needs.
func (m *mailbox) serve(conn net.Conn) {
	defer conn.Close()
	say := func(line string) { fmt.Fprint(conn, line, "\r\n") }
	lines := bufio.NewScanner(conn)
	var mail strings.Builder
	inData := false
	say("220 test")
	for lines.Scan() {
		line := lines.Text()
		command, _, _ := strings.Cut(strings.ToUpper(line), " ")
		fmt.Fprintln(&mail, line)
		switch {
		case inData && line == ".":
			inData = false
			m.add(mail.String())
			mail.Reset()
			say("250 kept")
		case inData:
		case command == "DATA":
			inData = true
			say("354 go on")
		case command == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// pluginDaemon serves the metrics of Dify's plugin daemon about embedding calls and calls of models under their real
// path. It counts a call of each with every scrape.
type pluginDaemon struct {
	address string
	fails   atomic.Bool // calls of models
	server  *httptest.Server
}

func newPluginDaemon(t *testing.T) *pluginDaemon {
	t.Helper()
	p := &pluginDaemon{}
	var embeddings, answers, errors int // one scrape at a time
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		const plugin = `plugin_id="langgenius/openai",plugin_type="model",runtime_type="local",operation=`
		const labels = plugin + `"invoke_text_embedding"`
		fmt.Fprintf(w, `# TYPE plugin_invocation_duration_seconds histogram
plugin_invocation_duration_seconds_bucket{%[1]s,le="0.5"} 3
plugin_invocation_duration_seconds_bucket{%[1]s,le="+Inf"} 4
plugin_invocation_duration_seconds_sum{%[1]s} 2.5
plugin_invocation_duration_seconds_count{%[1]s} 4
`, labels)
		embeddings++
		if p.fails.Load() {
			errors++
		} else {
			answers++
		}
		fmt.Fprintf(w, `# TYPE plugin_invocations_total counter
plugin_invocations_total{%s,status="success"} %d
plugin_invocations_total{%s"invoke_llm",status="success"} %d
plugin_invocations_total{%s"invoke_llm",status="error"} %d
`, labels, embeddings, plugin, answers, plugin, errors)
	})
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	p.address = strings.TrimPrefix(p.server.URL, "http://")
	return p
}
