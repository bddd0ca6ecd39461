// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package servers starts the real servers that tests run against: each on a free port of 127.0.0.1, with its data in a
// temporary folder. Where an address is in the environment, that server is used instead and left as it is otherwise.
// What can't be started is an error that says what to install; no test is skipped for it.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

const startTimeout = 5 * time.Minute // a secure OpenSearch on a machine that does much else

// server is what all of them have in common.
type server struct {
	process *proc.Process // nil if it is not ours
	dir     string
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

// start runs spec in the server's folder and waits until ready.
func (s *server) start(ctx context.Context, spec proc.Spec, ready func(context.Context) error) error {
	spec.Dir = s.dir
	spec.Env = append(spec.Env, "PATH="+os.Getenv("PATH"), "HOME="+s.dir, "LC_ALL=C.UTF-8")
	process, err := proc.Start(spec)
	if err != nil {
		return err
	}
	s.process = process
	err = s.process.UntilReady(ctx, startTimeout, ready)
	if err != nil {
		return fmt.Errorf("start %s: %w\n%s", spec.Name, err, process.Tail())
	}
	return nil
}

// program finds an executable on the PATH or in folders that may not be on it, and says what to install.
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
