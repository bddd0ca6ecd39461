// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// picturesEnv names a folder that keeps the pictures.
const picturesEnv = "OTELCOL_TEST_PICTURES"

// The status page of a running collector, as a browser draws it: in both themes and on a phone.
func TestStatusPage(t *testing.T) {
	i := newInstallation(t)
	i.env["OTELCOL_DASHBOARDS_URL"] = "http://127.0.0.1:1"
	c := i.start(t)
	exportSpan(t, c.OTLPHTTP)
	require.NoError(t, i.broker.LPush(t.Context(), "dataset", "task").Err())
	t.Cleanup(func() { assert.NoError(t, i.broker.Del(context.WithoutCancel(t.Context()), "dataset").Err()) })

	url := "http://any:" + apiKey + "@" + c.Status + "/"
	waitFor(t, url+"status.json", `"id": "workflow_log"`, `"name": "dataset"`, `"signal": "traces"`)
	denied, err := collector.Fetch(t.Context(), "http://"+c.Status+"/status.json")
	require.NoError(t, err)
	assert.NotContains(t, denied, "workflow_log", "without the key")

	for name, tt := range map[string]struct {
		scheme, size string
		width        int
		dark         bool
	}{
		"light": {"1", "1200,1900", 1200, false}, "dark": {"0", "1200,1900", 1200, true}, "phone": {"1", "500,2400", 500, false},
	} {
		t.Run(name, func(t *testing.T) {
			picture := draw(t, name, url, "--window-size="+tt.size, "--blink-settings=preferredColorScheme="+tt.scheme)
			assert.Equal(t, tt.width, picture.Bounds().Dx())
			r, _, _, _ := picture.At(3, 3).RGBA()
			assert.Equal(t, tt.dark, r < 0x8000, "the background is dark")
		})
	}
}

func waitFor(t *testing.T, url string, texts ...string) {
	t.Helper()
	wait.For(t, "the page knows everything", func(ctx context.Context) error {
		body, err := collector.Fetch(ctx, url)
		for _, text := range texts {
			if err == nil && !strings.Contains(body, text) {
				err = fmt.Errorf("no %q in %s", text, body)
			}
		}
		return err
	})
}

func draw(t *testing.T, name, url string, flags ...string) image.Image {
	t.Helper()
	folder := os.Getenv(picturesEnv)
	if folder == "" {
		folder = t.TempDir()
	}
	file := filepath.Join(folder, "status-"+name+".png")
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
		"--screenshot=" + file,
	}, flags...)
	out, err := exec.CommandContext(t.Context(), "chromium", append(args, url)...).CombinedOutput()
	require.NoError(t, err, "make setup installs Chromium: %s", out)
	content, err := os.Open(file)
	require.NoError(t, err)
	defer content.Close()
	picture, err := png.Decode(content)
	require.NoError(t, err)
	return picture
}
