// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package alerting runs the shipped Prometheus and Alertmanager files through their own programs, and drives the
// alerts with the built binary.
package alerting

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/prometheus/alertmanager/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// check runs a program of Prometheus or Alertmanager, and fails the test with its output.
func check(t *testing.T, debianPackage, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(t, err, "install %s (Debian package)", debianPackage)
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", program, strings.Join(args, " "), out)
	return string(out)
}

func TestPrometheusTakesTheShippedFiles(t *testing.T) {
	for _, file := range []string{"prometheus.yaml", "scale.yaml"} {
		check(t, "prometheus", "promtool", "check", "config", repo.Path("config", "prometheus", file))
	}
}

func TestAlertsFireInTime(t *testing.T) {
	files, err := filepath.Glob(repo.Path("config", "prometheus", "tests", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			check(t, "prometheus", "promtool", "test", "rules", file)
		})
	}
}

// alertmanagerFile writes the shipped file, with variables expanded by compose, to a temporary folder.
func alertmanagerFile(t *testing.T, env map[string]string) (path, text string) {
	t.Helper()
	raw, err := os.ReadFile(repo.Path("config", "alertmanager", "alertmanager.yaml"))
	require.NoError(t, err)
	text, err = template.Substitute(string(raw), func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	require.NoError(t, err)
	text = strings.ReplaceAll(text, "/etc/alertmanager/templates", repo.Path("config", "alertmanager", "templates"))
	path = filepath.Join(t.TempDir(), "alertmanager.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path, text
}

// rendered returns the file that render.py prints.
func rendered(t *testing.T, env map[string]string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", repo.Path("config", "alertmanager", "render.py"))
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.ReplaceAll(string(out), "/etc/alertmanager/templates", repo.Path("config", "alertmanager", "templates"))
}

func TestAlertmanagerTakesEachSetOfVariables(t *testing.T) {
	mail := map[string]string{ //nolint:gosec // not a real password; it has all characters that YAML could misread
		"OTELCOL_ALERT_MAIL_TO": "ops@example.com, night@example.com", "SMTP_SERVER": "smtp.example.com", "SMTP_PORT": "587",
		"SMTP_USERNAME": "dify", "SMTP_PASSWORD": `p"a$s\s#1: {x}`, "SMTP_OPPORTUNISTIC_TLS": "true",
		"MAIL_DEFAULT_SEND_FROM": "Dify <dify@example.com>",
	}
	webhook := map[string]string{"OTELCOL_ALERT_WEBHOOK_URL": "https://hooks.example.com/a?b=c&d=e"}
	chats := map[string]string{
		"OTELCOL_ALERT_SLACK_URL": "https://hooks.example.com/services/x", "OTELCOL_ALERT_WECOM_SECRET": "s",
		"OTELCOL_ALERT_WECOM_CORP_ID": "c", "OTELCOL_ALERT_WECOM_AGENT_ID": "7",
	}
	robots := map[string]string{
		"OTELCOL_ALERT_FEISHU_URL":   "https://open.feishu.cn/open-apis/bot/v2/hook/x",
		"OTELCOL_ALERT_DINGTALK_URL": "https://oapi.dingtalk.com/robot/send?access_token=x",
	}
	both := map[string]string{}
	for _, some := range []map[string]string{mail, webhook, chats} {
		maps.Copy(both, some)
	}
	for name, test := range map[string]struct {
		env          map[string]string
		mail, toHook bool
		newer        bool // than Debian's amtool
	}{
		"nothing set":               {env: nil},
		"set to nothing":            {env: map[string]string{"OTELCOL_ALERT_MAIL_TO": "", "OTELCOL_ALERT_WEBHOOK_URL": "", "SMTP_SERVER": "", "SMTP_PORT": ""}},
		"mail":                      {env: mail, mail: true},
		"webhook":                   {env: webhook, toHook: true},
		"chats":                     {env: chats},
		"all":                       {env: both, mail: true, toHook: true},
		"robots":                    {env: robots, toHook: true, newer: true},
		"mail by a plain local MTA": {env: map[string]string{"OTELCOL_ALERT_MAIL_TO": "root@localhost"}, mail: true},
	} {
		t.Run(name, func(t *testing.T) {
			path, text := alertmanagerFile(t, test.env)
			assert.Equal(t, text, rendered(t, test.env), "render.py expands as compose does")
			_, err := config.Load(text) // as the Alertmanager in docker-compose.yaml reads it
			require.NoError(t, err)
			if test.newer {
				return
			}
			check(t, "prometheus-alertmanager", "amtool", "check-config", path)
			assert.Equal(t, test.mail, strings.Contains(text, "{to: "))
			assert.Equal(t, test.toHook, strings.Contains(text, "{url: "))
			for severity, receiver := range map[string]string{"critical": "mail and webhook", "warning": "mail"} {
				out := check(
					t, "prometheus-alertmanager", "amtool", "config", "routes", "test", "--config.file="+path, "severity="+severity,
				)
				lines := strings.Split(strings.TrimSpace(out), "\n") // a warning may precede it
				assert.Equal(t, receiver, lines[len(lines)-1])
			}
		})
	}
}
