// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	poster "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The robots of Feishu and DingTalk get the message in the form that they document, whatever an alert's texts contain.
// The code is that of the Alertmanager in docker-compose.yaml, which is newer than Debian's.
func TestRobots(t *testing.T) {
	chat := newChats(t)
	_, text := alertmanagerFile(t, map[string]string{
		"OTELCOL_ALERT_WEBHOOK_URL": chat.url + "/hook", "OTELCOL_ALERT_FEISHU_URL": chat.url + "/feishu?a=b",
		"OTELCOL_ALERT_DINGTALK_URL": chat.url + "/dingtalk?access_token=x",
	})
	cfg, err := config.Load(text)
	require.NoError(t, err)
	texts, err := template.FromGlobs(cfg.Templates)
	require.NoError(t, err)
	texts.ExternalURL, err = url.Parse("http://localhost:9093")
	require.NoError(t, err)

	const summary = `20% of "requests": {fail} {{ . }} #1 & <2>`
	ctx := notify.WithGroupKey(notify.WithReceiverName(t.Context(), "mail and webhook"), "1")
	alerts := []*alert.Alert{{Alert: model.Alert{
		Labels: model.LabelSet{"alertname": "HighAPIErrorRate", "service": "api", "severity": "critical"},
		Annotations: model.LabelSet{
			"summary": summary, "description": "It means this.\nAnd: that", "runbook_url": "https://books.example.com/x.md",
		},
		StartsAt: time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC), EndsAt: time.Now().Add(time.Hour),
	}}}
	hooks := 0
	for _, receiver := range cfg.Receivers {
		for _, hook := range receiver.WebhookConfigs {
			hooks++
			notifier, err := poster.New(hook, texts, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			require.True(t, hook.SendResolved())
			require.Equal(t, notify.Success(), notifier.Notify(ctx, alerts...))
		}
	}
	require.Equal(t, 3, hooks)

	const message = "[FIRING] HighAPIErrorRate, api: " + summary + "\n\n" + summary + "\nIt means this.\nAnd: that\n" +
		"Since 2026-11-30 03:00 UTC. Severity: critical.\nFirst step, the runbook: https://books.example.com/x.md\n\n"
	feishu, dingtalk, hook := map[string]any{}, map[string]any{}, map[string]any{}
	chat.receive(t, "/feishu", &feishu)
	chat.receive(t, "/dingtalk", &dingtalk)
	chat.receive(t, "/hook", &hook)
	assert.Equal(t, map[string]any{"msg_type": "text", "content": map[string]any{"text": message}}, feishu)
	assert.Equal(t, map[string]any{"msgtype": "text", "text": map[string]any{"content": message}}, dingtalk)
	assert.Contains(t, hook, "alerts", "the generic webhook gets Alertmanager's own form")
}
