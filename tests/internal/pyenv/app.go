// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package pyenv

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

const startTimeout = 4 * time.Minute // under load, many processes at once

// App is the Dify-like application: gunicorn with its workers, Celery workers, and perhaps Celery's scheduler. A test
// may stop one of the programs.
type App struct {
	API     *proc.Process
	Workers []*proc.Process
	Beat    *proc.Process // nil without Size.Beat

	url    string
	client *http.Client
	dir    string
	env    []string
}

// Size is the number of processes that serve requests and run tasks.
type Size struct {
	Gunicorn, Celery int
	Queues           string // of the Celery workers, separated by commas; default: that of streaming runs
	Beat             bool   // runs the periodic task, once a second
}

const runQueue = "workflow_based_app_execution"

// StartApp runs it until the end of the test, with three workers of gunicorn and one of Celery. The environment names
// its database, its broker and the collector.
func StartApp(tb testing.TB, environment map[string]string) *App {
	tb.Helper()
	return StartAppIn(tb, repo.Path("tests", "python"), Size{Gunicorn: 3, Celery: 1}, environment)
}

// StartAppIn runs it with another size, from the given folder: the path determines whether a file belongs to the
// application.
func StartAppIn(tb testing.TB, dir string, size Size, environment map[string]string) *App {
	tb.Helper()
	ports, err := proc.FreePorts(1)
	require.NoError(tb, err)
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	app := &App{
		url: "http://" + address,
		// A connection per request, so that the kernel spreads them over the workers.
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute},
	}
	env := append(appEnv(environment), "PYTHONPATH="+dir, "APP_BIND="+address, "APP_HTTP_TARGET="+app.url+"/health",
		"APP_WORKERS="+strconv.Itoa(size.Gunicorn))

	app.dir, app.env = dir, env
	app.API = app.start(
		tb, "gunicorn", "--chdir", dir, "--config", filepath.Join(dir, "gunicorn.conf.py"), "app:flask_app",
	)
	for i := range size.Celery {
		app.StartWorker(tb, "worker"+strconv.Itoa(i), cmp.Or(size.Queues, runQueue), 4)
	}
	if size.Beat {
		app.Beat = app.start(tb, "celery", "--workdir", dir, "--app", "app:celery_app", "beat", "--pidfile=",
			"--schedule", filepath.Join(tb.TempDir(), "schedule"))
	}
	require.NoError(tb, app.API.UntilReady(tb.Context(), startTimeout, func(ctx context.Context) error {
		_, err := app.Get(ctx, "/v1/ready") // any response will do, even 404; not /v1/info, whose requests are counted
		return err
	}), "start the application")
	return app
}

// StartWorker adds a Celery worker that runs so many tasks of the given queues at once.
func (a *App) StartWorker(tb testing.TB, name, queues string, concurrency int) {
	tb.Helper()
	a.Workers = append(a.Workers, a.start(tb, "celery", "--workdir", a.dir, "--app", "app:celery_app", "worker",
		"--hostname", name+"@%h", "--pool", "gevent", "--concurrency", strconv.Itoa(concurrency),
		"--queues", queues, "--prefetch-multiplier", "1", "--loglevel", "INFO"))
}

func (a *App) start(tb testing.TB, name string, args ...string) *proc.Process {
	tb.Helper()
	return startProgram(tb, name, a.env, args...)
}

// Stop stops all processes, which then export the rest of their telemetry.
func (a *App) Stop(tb testing.TB) {
	tb.Helper()
	programs := append([]*proc.Process{a.API}, a.Workers...)
	if a.Beat != nil {
		programs = append(programs, a.Beat)
	}
	for _, program := range programs {
		require.NoError(tb, program.Stop())
	}
}

// Enqueue adds tasks without a consumer to a Celery queue.
func Enqueue(tb testing.TB, environment map[string]string, queue string, count int) {
	tb.Helper()
	out, err := run(tb, appEnv(environment), nil, "app.py", "enqueue", queue, strconv.Itoa(count))
	require.NoErrorf(tb, err, "enqueue: %s", out)
}

func appEnv(environment map[string]string) []string {
	env := make([]string, 0, len(environment))
	for key, value := range environment {
		env = append(env, key+"="+value)
	}
	return append(env, "PATH="+os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+repo.Path("tests", "python"))
}

// StartScript runs a script of tests/python until the end of the test.
func StartScript(tb testing.TB, environment map[string]string, script string, args ...string) *proc.Process {
	tb.Helper()
	args = append([]string{repo.Path("tests", "python", script)}, args...)
	return startProgram(tb, "python", appEnv(environment), args...)
}

// startProgram runs a program of the Python environment until the end of the test and prints its log if that fails.
func startProgram(tb testing.TB, name string, env []string, args ...string) *proc.Process {
	tb.Helper()
	process, err := proc.Start(proc.Spec{
		Name: name, Dir: tb.TempDir(), Path: Program(tb, name), Args: args, Env: env,
	})
	require.NoError(tb, err)
	tb.Cleanup(func() {
		if err := process.Stop(); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Log(process.Tail())
		}
	})
	return process
}

// Answer is a response of the application.
type Answer struct {
	Status  int
	PID     int    `json:"pid"`
	RunID   string `json:"workflow_run_id"`
	TraceID string `json:"trace_id"`
}

// Get requests a path.
func (a *App) Get(ctx context.Context, path string) (Answer, error) {
	return a.do(ctx, http.MethodGet, path, nil)
}

// Post sends a JSON body to a path.
func (a *App) Post(ctx context.Context, path string, body any) (Answer, error) {
	return a.do(ctx, http.MethodPost, path, body)
}

func (a *App) do(ctx context.Context, method, path string, body any) (answer Answer, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(text))
	if err != nil {
		return answer, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		return answer, err
	}
	answer.Status = resp.StatusCode
	if resp.StatusCode != http.StatusOK {
		return answer, nil
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return answer, nil
}
