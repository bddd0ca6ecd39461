// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package render draws Grafana's dashboards with Grafana's own components, without Grafana.
package render

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	// picturesEnv names a folder that keeps the pictures: DASHBOARD-THEME.png.
	picturesEnv = "OTELCOL_TEST_PICTURES"
	// drawn is the time range of the pictures.
	drawn = time.Minute
	// Of main.jsx, in pixels.
	rowHeight, boardMargin = 34, 64
)

// Every panel of every dashboard is drawn in a browser, with the demo's traffic in a real Prometheus: no error, and no
// panel without data, in both themes.
func TestDashboardsAreDrawn(t *testing.T) {
	bundle := bundlePage(t)
	prometheus := startPrometheus(t, startDemo(t), startOthers(t))
	boards := readBoards(t)
	var end time.Time
	require.NoError(t, wait.Until(t.Context(), wait.Deadline+drawn, func(ctx context.Context) error {
		end = time.Now().Truncate(time.Second)
		samples, err := prometheus.QueryAt(ctx, "app_workflow_run_total", end.Add(-drawn))
		if err == nil && len(samples) == 0 {
			err = fmt.Errorf("there was no run %s ago", drawn)
		}
		if err != nil {
			return err
		}
		for _, board := range boards {
			if err := board.hasData(ctx, prometheus, end); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, theme := range []string{"light", "dark"} {
		t.Run(theme, func(t *testing.T) {
			result, picture := draw(t, bundle, boards, url.Values{
				"prometheus": {prometheus.URL}, "theme": {theme},
				"to": {strconv.FormatInt(end.Unix(), 10)}, "range": {fmt.Sprint(drawn.Seconds())},
			})
			assert.Empty(t, result.Problems)
			require.Len(t, result.Boards, len(boards))
			for _, place := range result.Boards {
				checkPicture(t, picture, place, theme)
			}
		})
	}
}

type board struct {
	Title  string
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
		GridPos struct{ Y, H int }
	}
	text json.RawMessage
}

// variables are Grafana's, replaced as Grafana does.
var variables = strings.NewReplacer(
	"$installation", ".*", "$role", ".*", "$workspace", ".*", "$app", ".*", "$queue", ".*", "$__rate_interval", "30s",
	"$__range", fmt.Sprintf("%ds", int(drawn.Seconds())),
)

func readBoards(t *testing.T) []board {
	t.Helper()
	files, err := filepath.Glob(repo.Path("config", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	boards := make([]board, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		boards[i].text = json.RawMessage(variables.Replace(string(text)))
		require.NoError(t, json.Unmarshal(boards[i].text, &boards[i]))
	}
	return boards
}

func (b board) height() int {
	rows := 0
	for _, panel := range b.Panels {
		rows = max(rows, panel.GridPos.Y+panel.GridPos.H)
	}
	return rows*rowHeight + boardMargin
}

func (b board) hasData(ctx context.Context, prometheus *servers.Prometheus, at time.Time) error {
	for _, panel := range b.Panels {
		found := 0
		for _, target := range panel.Targets {
			samples, err := prometheus.QueryAt(ctx, target.Expr, at)
			if err != nil {
				return err
			}
			found += len(samples)
		}
		if found == 0 {
			return fmt.Errorf("%s, %s: no data", b.Title, panel.Title)
		}
	}
	return nil
}

// bundlePage builds the page.
func bundlePage(t *testing.T) string {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "main.js")
	out, err := exec.CommandContext(
		t.Context(), repo.Path(".cache", "node", "bin", "node"), repo.Path("tests", "render", "build.mjs"),
		repo.Path(".cache", "render", "node_modules"), bundle,
	).CombinedOutput()
	require.NoError(t, err, "make setup installs Grafana's component packages: %s", out)
	return bundle
}

// place is where a dashboard is in the picture.
type place struct {
	UID         string
	Top, Height int
}

// drawing is what the page reports.
type drawing struct {
	Problems []struct{ Board, Panel, Text string }
	Boards   []place
}

// draw lets Chromium draw all dashboards below each other.
func draw(t *testing.T, bundle string, boards []board, parameters url.Values) (drawing, image.Image) {
	t.Helper()
	texts, height := make([]json.RawMessage, len(boards)), 0
	for i, board := range boards {
		texts[i] = board.text
		height += board.height()
	}
	results := make(chan drawing, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="main.css">`+
			`<div id="root"></div><script src="main.js"></script>`)
	})
	mux.Handle("GET /", http.FileServer(http.Dir(filepath.Dir(bundle))))
	mux.HandleFunc("GET /boards.json", func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, json.NewEncoder(w).Encode(texts))
	})
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		var result drawing
		if assert.NoError(t, json.NewDecoder(r.Body).Decode(&result)) {
			results <- result
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	shot := filepath.Join(t.TempDir(), "shot.png")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(
		ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+t.TempDir(),
		fmt.Sprintf("--window-size=1600,%d", height), "--virtual-time-budget=60000", "--screenshot="+shot,
		server.URL+"/?"+parameters.Encode(),
	).CombinedOutput()
	require.NoError(t, err, "make setup installs Chromium: %s", out)
	file, err := os.Open(shot)
	require.NoError(t, err, "%s", out)
	defer file.Close()
	picture, err := png.Decode(file)
	require.NoError(t, err)
	require.NotEmpty(t, results, "the page posted no result: %s", out)
	return <-results, picture
}

// checkPicture fails if a dashboard's part of a picture is nearly empty.
func checkPicture(t *testing.T, picture image.Image, at place, theme string) {
	t.Helper()
	bounds := image.Rect(0, at.Top, picture.Bounds().Dx(), at.Top+at.Height)
	colors := map[[3]uint32]bool{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y += 3 {
		for x := bounds.Min.X; x < bounds.Max.X; x += 3 {
			r, g, b, _ := picture.At(x, y).RGBA()
			colors[[3]uint32{r, g, b}] = true
		}
	}
	assert.Greater(t, len(colors), 20, "%s is nearly empty", at.UID)
	dir := os.Getenv(picturesEnv)
	if dir == "" {
		return
	}
	part, ok := picture.(interface {
		SubImage(r image.Rectangle) image.Image
	})
	require.True(t, ok)
	file, err := os.Create(filepath.Join(dir, at.UID+"-"+theme+".png"))
	require.NoError(t, err)
	assert.NoError(t, png.Encode(file, part.SubImage(bounds)))
	require.NoError(t, file.Close())
}
