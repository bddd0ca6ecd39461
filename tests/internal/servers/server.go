// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package servers starts the real servers that tests run against: each on a free port of 127.0.0.1, with its data in
// a temporary folder. If the environment has an address, that server is used instead. A server that can't be started
// is an error that names what to install; no test is skipped.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

const startTimeout = 5 * time.Minute // long enough for a secure OpenSearch on a busy machine

// server is the common part of all servers.
type server struct {
	process *proc.Process // nil if it was not started here
	dir     string
	spec    proc.Spec
	ready   func(context.Context) error
	crash   syscall.Signal // the signal for a crash, after which it has to recover; SIGKILL if zero
}

// Stop ends the server and removes its folder.
func (s *server) Stop() error {
	var err error
	if s.process != nil {
		err = s.process.Stop()
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// run runs a program that prepares the server's folder, and waits for its end.
func (s *server) run(ctx context.Context, spec proc.Spec) error {
	process, err := proc.Start(s.complete(spec))
	if err != nil {
		return err
	}
	code, err := process.Wait(ctx)
	if err != nil {
		process.Kill()
		return err
	}
	if code != 0 {
		return fmt.Errorf("%s: exit code %d\n%s", spec.Name, code, process.Tail())
	}
	return nil
}

func (s *server) complete(spec proc.Spec) proc.Spec {
	spec.Dir = s.dir
	spec.Env = append(spec.Env, "PATH="+os.Getenv("PATH"), "HOME="+s.dir, "LC_ALL=C.UTF-8")
	return spec
}

// start runs spec in the server's folder and waits until ready.
func (s *server) start(ctx context.Context, spec proc.Spec, ready func(context.Context) error) error {
	s.spec, s.ready = s.complete(spec), ready
	return s.Resume(ctx)
}

// Halt stops a server that was started here, cleanly or by a crash. Its data is kept.
func (s *server) Halt(crash bool) error {
	switch {
	case !crash:
		return s.process.Stop()
	case s.crash == 0:
		s.process.Kill()
		return nil
	default:
		return s.process.StopWith(s.crash)
	}
}

// Resume starts a halted server, with the same port and data.
func (s *server) Resume(ctx context.Context) error {
	process, err := proc.Start(s.spec)
	if err != nil {
		return err
	}
	s.process = process
	if err := process.UntilReady(ctx, startTimeout, s.ready); err != nil {
		return fmt.Errorf("start %s: %w\n%s", s.spec.Name, err, process.Tail())
	}
	return nil
}

// program finds an executable on the PATH or in the given folders. The error names what to install.
func program(debianPackage string, names []string, patterns ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		for _, pattern := range append(patterns, "/usr/sbin") {
			found, err := filepath.Glob(filepath.Join(pattern, name))
			if err == nil && len(found) > 0 {
				return found[len(found)-1], nil
			}
		}
	}
	return "", fmt.Errorf("%s not found: install the Debian package %s or run tests/setup.sh", names[0], debianPackage)
}

// writeFiles writes texts below a folder, readable for the server's user.
func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // another user reads it
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // another user reads it
			return err
		}
	}
	return nil
}
