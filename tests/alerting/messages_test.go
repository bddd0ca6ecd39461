// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// chats receives what Alertmanager posts, by path.
type chats struct {
	mu     sync.Mutex
	bodies map[string][]byte // guarded by mu
	url    string
}

func newChats(t *testing.T) *chats {
	t.Helper()
	c := &chats{bodies: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies[r.URL.Path] = body
		if r.URL.Path == "/wecom/gettoken" {
			fmt.Fprint(w, `{"errcode": 0, "access_token": "token"}`)
			return
		}
		fmt.Fprint(w, `{"errcode": 0}`)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// receive waits for a body and decodes it.
func (c *chats) receive(t *testing.T, path string, into any) {
	t.Helper()
	wait.For(t, "a message at "+path, func(context.Context) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.bodies[path] == nil {
			return errors.New("none yet")
		}
		return json.Unmarshal(c.bodies[path], into)
	})
}

// A message in each channel names the alert, the service and the value, and has the first step and the links.
func TestMessages(t *testing.T) {
	mail, chat := newMailbox(t), newChats(t)
	_, config := alertmanagerFile(t, map[string]string{
		"OTELCOL_ALERT_MAIL_TO": "ops@example.com", "SMTP_SERVER": mail.host, "SMTP_PORT": mail.port,
		"OTELCOL_ALERT_WEBHOOK_URL": chat.url + "/hook", "OTELCOL_ALERT_SLACK_URL": chat.url + "/slack",
		"OTELCOL_ALERT_WECOM_URL": chat.url + "/wecom/", "OTELCOL_ALERT_WECOM_SECRET": "s", "OTELCOL_ALERT_WECOM_CORP_ID": "c",
		"OTELCOL_ALERT_WECOM_AGENT_ID": "7",
	})
	alertmanager := servers.Run(t, func(ctx context.Context) (*servers.Alertmanager, error) {
		return servers.StartAlertmanager(ctx, shortened(config))
	})
	const book, board = "https://books.example.com/HighAPIErrorRate.md", "https://grafana.example.com/d/x?var-role=api&y=1"
	body, err := json.Marshal([]any{map[string]any{
		"labels": map[string]string{"alertname": "HighAPIErrorRate", "service": "api", "severity": "critical", "dify_role": "api"},
		"annotations": map[string]string{
			"summary": "20% of requests fail", "description": "It means this.", "runbook_url": book, "dashboard_url": board,
		},
		"startsAt": time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC),
	}})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, "http://"+alertmanager.Address+"/api/v2/alerts", bytes.NewReader(body),
	)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	const subject = "[FIRING] HighAPIErrorRate, api: 20% of requests fail"
	wait.For(t, "a mail", func(context.Context) error {
		if mail.of("Subject: "+subject, "RCPT TO:<ops@example.com>") {
			return nil
		}
		return errors.New("none yet")
	})
	texts := map[string]string{}

	var slack struct {
		Channel     string
		Attachments []struct{ Title, Text, Fallback string }
	}
	chat.receive(t, "/slack", &slack)
	require.Len(t, slack.Attachments, 1)
	assert.Equal(t, "#dify", slack.Channel)
	assert.Equal(t, subject, slack.Attachments[0].Title)
	texts["slack"] = slack.Attachments[0].Text

	var wecom struct {
		MsgType string `json:"msgtype"`
		AgentID string `json:"agentid"`
		ToUser  string `json:"touser"`
		Text    struct{ Content string }
	}
	chat.receive(t, "/wecom/message/send", &wecom)
	assert.Equal(t, "text", wecom.MsgType)
	assert.Equal(t, "7", wecom.AgentID)
	assert.Equal(t, "@all", wecom.ToUser)
	assert.Contains(t, wecom.Text.Content, subject)
	texts["wecom"] = wecom.Text.Content

	for name, text := range texts {
		for _, part := range []string{
			"It means this.", "Since 2026-11-30 03:00 UTC", "First step, the runbook: " + book, "Dashboard: " + board,
		} {
			assert.Contains(t, text, part, name)
		}
	}

	var hook struct {
		Alerts []struct{ Labels, Annotations map[string]string }
	}
	chat.receive(t, "/hook", &hook)
	require.Len(t, hook.Alerts, 1)
	assert.Equal(t, "HighAPIErrorRate", hook.Alerts[0].Labels["alertname"])
	assert.Equal(t, board, hook.Alerts[0].Annotations["dashboard_url"])
}
