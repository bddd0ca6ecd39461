// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package postgres starts a real PostgreSQL of the version in Dify's compose file. It needs neither an installed
// PostgreSQL nor privileges: the binaries are downloaded at the first start and kept in the user's cache directory.
//
// PostgreSQL refuses to run as root, so a second process of the same program runs the server; if the first one is
// root, the second runs as the user nobody. It stops the server when the first process asks for it or has ended for
// any reason.
package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	user     = "postgres"
	database = "dify"
	// startTimeout includes the download.
	startTimeout = 3 * time.Minute
	stopTimeout  = 20 * time.Second
)

// Server is a running PostgreSQL with an empty database named dify.
type Server struct {
	settings
	keeper *exec.Cmd
	stdin  io.Closer
	exited chan struct{}
}

// Start starts a server on a free local port. The program's main function must call Keep first.
func Start(ctx context.Context, password string) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "difydemo-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{settings: settings{Dir: dir, Port: port, Password: password}, exited: make(chan struct{})}
	err = s.start(ctx)
	storeArchive(dir) // even if PostgreSQL does not start: the download takes longest
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if err := loadArchive(s.Dir); err != nil {
		return err
	}
	if err := giveToNobody(s.Dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	answer, err := s.startKeeper()
	if errors.Is(err, os.ErrPermission) && isRoot() {
		return fmt.Errorf(
			"start PostgreSQL: as root it runs as nobody, who cannot reach %s; set TMPDIR to another place: %w", s.Dir, err,
		)
	}
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	select {
	case line := <-answer:
		if line == ready {
			return nil
		}
		err = fmt.Errorf("start PostgreSQL: %s", strings.TrimPrefix(line, failed))
	case <-ctx.Done():
		err = fmt.Errorf("start PostgreSQL: %w", ctx.Err())
	}
	return err
}

// startKeeper starts the second process and returns the channel for its one-line response.
func (s *Server) startKeeper() (<-chan string, error) {
	// The context must not kill the second process, which has a server to stop.
	s.keeper = exec.Command(selfPath())
	s.keeper.Dir = s.Dir
	s.keeper.Env = append(os.Environ(), keeperEnv+"=1", "LC_ALL=C", "HOME="+s.Dir, "TMPDIR="+s.Dir)
	setProcess(s.keeper)
	stdin, err := s.keeper.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := s.keeper.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.keeper.Start(); err != nil {
		return nil, err
	}
	if err := s.send(stdin); err != nil { // through the pipe, because other users can read an environment
		return nil, errors.Join(err, stdin.Close(), s.keeper.Wait())
	}
	s.stdin = stdin
	answer := make(chan string, 1)
	go func() {
		line, readErr := bufio.NewReader(stdout).ReadString('\n')
		if readErr != nil {
			line = failed + "its keeper ended: " + readErr.Error()
		}
		answer <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, stdout)
		_ = s.keeper.Wait() // its response has the error
		close(s.exited)
	}()
	return answer, nil
}

// Host returns the server's address.
func (*Server) Host() string { return "127.0.0.1" }

// URL returns the database's connection URL.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable", user, s.Password, s.Host(), s.Port, database)
}

// Close stops the server and removes all its files.
func (s *Server) Close() error {
	if s.stdin == nil { // it was never started
		return os.RemoveAll(s.Dir)
	}
	_ = s.stdin.Close() // makes the second process stop the server
	var err error
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		err = errors.Join(errors.New("stop PostgreSQL: it takes too long"), s.keeper.Process.Kill())
		<-s.exited
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

func freePort(ctx context.Context) (uint32, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return uint32(l.Addr().(*net.TCPAddr).Port), nil
}
