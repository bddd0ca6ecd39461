// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const timeout = 2 * time.Minute

// generation runs dify.py as one version of Dify, with its API and its worker.
type generation struct {
	version  string
	broker   string
	database string

	port int // of the API
	venv string
}

// record runs it, sends requests, stops it, and returns what it exported.
func (g *generation) record(ctx context.Context) (*sink, error) {
	if err := g.install(ctx); err != nil {
		return nil, err
	}
	exported := listen()
	defer exported.server.Close()
	ports, err := proc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	g.port = ports[0]
	dir, err := os.MkdirTemp("", "golden-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	worker, err := g.start(
		dir, exported, "worker", "celery", "--app", "dify:celery_app", "worker", "--pool", "solo", "--queues",
		"workflow_based_app_execution,ops_trace,dataset", "--hostname", "worker@dify-worker", "--loglevel", "INFO",
	)
	if err != nil {
		return nil, err
	}
	defer worker.Kill()
	api, err := g.start(dir, exported, "api", "python", repo.Path("tests", "golden", "dify.py"))
	if err != nil {
		return nil, err
	}
	defer api.Kill()
	if err := g.drive(ctx, api, worker); err != nil {
		return nil, fmt.Errorf("%w\n%s\n%s", err, api.Tail(), worker.Tail())
	}
	for _, process := range []*proc.Process{api, worker} {
		if err := process.Stop(); err != nil {
			return nil, err
		}
	}
	return exported, nil
}

// install creates the Python environment of the version, if its requirements have changed.
func (g *generation) install(ctx context.Context) error {
	g.venv = repo.Path(".cache", "golden", g.version)
	requirements := repo.Path("tests", "golden", "requirements", g.version+".txt")
	wanted, err := os.ReadFile(requirements)
	if err != nil {
		return err
	}
	mark := filepath.Join(g.venv, ".complete")
	if is, err := os.ReadFile(mark); err == nil && bytes.Equal(is, wanted) {
		return nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", g.venv},
		{filepath.Join(g.venv, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "-r", requirements},
	} {
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
		}
	}
	return os.WriteFile(mark, wanted, 0o600)
}

func (g *generation) start(dir string, exported *sink, name, program string, args ...string) (*proc.Process, error) {
	return proc.Start(proc.Spec{
		Name: name, Dir: dir, Path: filepath.Join(g.venv, "bin", program), Args: args,
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + repo.Path("tests", "golden"),
			"DIFY_VERSION=" + g.version, "APP_PORT=" + strconv.Itoa(g.port), "APP_URL=http://" + g.address(),
			"CELERY_BROKER_URL=" + g.broker, "OTLP_BASE_ENDPOINT=" + exported.server.URL,
			"DATABASE_URL=postgresql+psycopg2" + strings.TrimPrefix(g.database, "postgres"),
		},
	})
}

func (g *generation) address() string {
	return "127.0.0.1:" + strconv.Itoa(g.port)
}

// request is one of the requests that cover each feature once.
type request struct {
	method, path, key, body string
	tasks                   int // number of tasks that it sends to the worker
}

const key = "Bearer app-0123456789abcdefABCDEF01"

func (g *generation) requests() []request {
	run := 1 // the task that reports it to Langfuse
	if minor, _ := strconv.Atoi(strings.Split(g.version, ".")[1]); minor >= 13 {
		run++ // the run itself
	}
	return []request{
		{method: http.MethodGet, path: "/health"},
		{method: http.MethodGet, path: "/v1/info", key: key},
		{method: http.MethodGet, path: "/v1/info"}, // 401
		{method: http.MethodGet, path: "/nope"},    // 404
		{method: http.MethodGet, path: "/v1/lock", key: key},
		{method: http.MethodPost, path: "/v1/workflows/run", key: key, body: `{}`, tasks: run},
		{method: http.MethodPost, path: "/v1/workflows/run", key: key, body: `{"fail": true}`}, // 500
		{method: http.MethodPost, path: "/v1/datasets", key: key, body: `{}`, tasks: 1},        // 400, and a task that fails
	}
}

// drive sends the requests one after another, each after the worker has finished the tasks of the previous one.
func (g *generation) drive(ctx context.Context, api, worker *proc.Process) error {
	if err := worker.UntilReady(ctx, timeout, func(context.Context) error {
		return logged(worker, 1, " ready.")
	}); err != nil {
		return err
	}
	if err := api.UntilReady(ctx, timeout, g.connects); err != nil {
		return err
	}
	tasks := 0
	for _, r := range g.requests() {
		if err := g.send(ctx, r); err != nil {
			return err
		}
		tasks += r.tasks
		if err := wait.Until(ctx, timeout, func(context.Context) error {
			return logged(worker, tasks, "] succeeded in", "] raised unexpected")
		}); err != nil {
			return err
		}
	}
	return nil
}

func (g *generation) connects(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", g.address())
	if err == nil {
		err = conn.Close()
	}
	return err
}

func (g *generation) send(ctx context.Context, r request) error {
	req, err := http.NewRequestWithContext(ctx, r.method, "http://"+g.address()+r.path, strings.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if r.key != "" {
		req.Header.Set("Authorization", r.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// logged returns nil when a process has logged one of the texts that often.
func logged(p *proc.Process, times int, texts ...string) error {
	sum, log := 0, p.Log()
	for _, text := range texts {
		sum += strings.Count(log, text)
	}
	if sum < times {
		return fmt.Errorf("%q was logged %d times, not %d", texts, sum, times)
	}
	return nil
}
