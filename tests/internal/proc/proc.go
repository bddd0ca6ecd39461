// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package proc runs servers and programs, with their output in a file.
package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	stopGrace = 20 * time.Second
	tailBytes = 16 << 10
)

// Spec describes what to run.
type Spec struct {
	Name string // for messages and the log file
	Dir  string // of the process and its log; see NewDir
	Path string
	Args []string
	Env  []string // complete, nothing is inherited
	// Unprivileged runs it as the user nobody when the tests run as root: some servers refuse root.
	Unprivileged bool
	// Stop is the signal that ends it cleanly; SIGTERM if nil.
	Stop os.Signal
}

// Process is a running child. The rest of its process group is killed when it ends.
type Process struct {
	name string
	stop os.Signal
	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // result of Wait; read after done
}

// Start runs spec. The child is killed when the test binary dies.
func Start(spec Spec) (*Process, error) {
	logPath := filepath.Join(spec.Dir, spec.Name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer log.Close()

	cmd := exec.Command(spec.Path, spec.Args...) // not bound to a context: Stop ends it
	cmd.Dir = spec.Dir
	cmd.Env = spec.Env
	cmd.Stdout = log
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if spec.Unprivileged {
		if cmd.SysProcAttr.Credential, err = nobody(); err != nil {
			return nil, fmt.Errorf("start %s: %w", spec.Name, err)
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	p := &Process{name: spec.Name, stop: spec.Stop, log: logPath, cmd: cmd, done: make(chan struct{})}
	if p.stop == nil {
		p.stop = syscall.SIGTERM
	}
	go func() {
		p.err = cmd.Wait()
		p.killGroup() // now: later, its number may belong to another process
		close(p.done)
	}()
	return p, nil
}

// Alive returns nil while the process runs. Afterwards it returns an error with its exit status and the end of its
// log.
func (p *Process) Alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself (%s)\n%s", p.name, p.outcome(), p.Tail())
	default:
		return nil
	}
}

// UntilReady waits until ready returns nil, but not longer than the process runs.
func (p *Process) UntilReady(ctx context.Context, timeout time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := wait.Until(ctx, timeout, ready)
	if died := p.Alive(); died != nil {
		return died
	}
	return err
}

// Wait waits until the process exits, and returns its exit code.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s still runs: %w", p.name, ctx.Err())
	}
}

// ExitCode returns the exit code of a process that has exited.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Stop requests the process to exit, and kills it if it does not. It is an error if it had to be killed.
func (p *Process) Stop() error {
	return p.StopWith(p.stop)
}

// StopWith is Stop with another signal.
func (p *Process) StopWith(signal os.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopGrace):
	}
	p.Kill()
	return fmt.Errorf("%s did not stop within %s\n%s", p.name, stopGrace, p.Tail())
}

// Pid returns the process id.
func (p *Process) Pid() int {
	return p.cmd.Process.Pid
}

// Signal sends a signal to the process, but not to its children.
func (p *Process) Signal(signal os.Signal) error {
	return p.cmd.Process.Signal(signal)
}

// Kill kills the process and the rest of its process group, if it still runs.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		p.killGroup()
		<-p.done
	}
}

func (p *Process) killGroup() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// Log returns everything that the process has written.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Tail returns the end of the log, for messages.
func (p *Process) Tail() string {
	text := p.Log()
	if len(text) > tailBytes {
		text = "[...]" + text[len(text)-tailBytes:]
	}
	return fmt.Sprintf("--- log of %s\n%s\n--- end", p.name, text)
}

func (p *Process) outcome() string {
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}
