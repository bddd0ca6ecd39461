// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func onlyDataset(c *Config) { c.Queues = []string{"dataset"} }

// A user with no more than the rights that the README lists.
func TestLeastPrivilege(t *testing.T) {
	for name, binary := range redisBinaries(t) {
		t.Run(name, func(t *testing.T) {
			addr := startRedis(t, binary)
			declare(t, addr, "p:dataset")
			push(t, addr, map[string]int{"p:dataset": 2, "p:dataset\x06\x163": 1})
			grant := []any{
				"ACL", "SETUSER", "watcher", "on", ">watch", "~p:*", "-@all",
				"+select", "+llen", "+hlen", "+exists", "+scan", "+smembers",
			}
			admin(t, addr, func(client *redis.Client) { require.NoError(t, client.Do(t.Context(), grant...).Err()) })

			s := newTestScraper(t, "redis://watcher:watch@"+addr+"/1", func(c *Config) {
				c.KeyPrefix, c.Queues, c.Discovery.Enabled = "p", []string{"mail"}, true
			})
			md, err := s.scrape(t.Context())
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"dataset": 3, "mail": 0, "unacked": 0}, lengths(t, md))

			admin(t, addr, func(client *redis.Client) {
				require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "watcher", "-exists").Err())
			})
			_, err = s.scrape(t.Context())
			require.ErrorContains(t, err, "the Redis user lacks permission to read the queues")
		})
	}
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	addr := freeAddress(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	spawn(
		t,
		redis7(t),
		"eady to accept connections",
		"--port",
		"0",
		"--tls-port",
		port,
		"--bind",
		"127.0.0.1",
		"--save",
		"",
		"--dir",
		t.TempDir(),
		"--tls-cert-file",
		cert,
		"--tls-key-file",
		key,
		"--tls-auth-clients",
		"no",
	)

	t.Run("with the authority of kombu's option", func(t *testing.T) {
		s := newTestScraper(t, "rediss://"+addr+"/1?ssl_ca_certs="+url.QueryEscape(cert), onlyDataset)
		_, err := s.scrape(t.Context())
		require.ErrorContains(t, err, "no queue has been declared there", "the server answered")
	})
	t.Run("with the authority of the tls section", func(t *testing.T) {
		s := newTestScraper(t, "rediss://"+addr+"/1", func(c *Config) { onlyDataset(c); c.TLS.CAFile = cert })
		_, err := s.scrape(t.Context())
		require.ErrorContains(t, err, "no queue has been declared there", "the server answered")
	})
	t.Run("an unknown authority is rejected", func(t *testing.T) {
		_, err := newTestScraper(t, "rediss://"+addr+"/1", onlyDataset).scrape(t.Context())
		require.ErrorContains(t, err, "certificate signed by unknown authority")
	})
}

func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private)
}

func TestSentinelFollowsTheMaster(t *testing.T) {
	binary := redis7(t)
	login := []string{"--requirepass", testPassword, "--masterauth", testPassword}
	first, firstProcess := runRedis(t, binary, login...)
	host, port, err := net.SplitHostPort(first)
	require.NoError(t, err)
	declare(t, first, "dataset")
	push(t, first, map[string]int{"dataset": 4})
	second, _ := runRedis(t, binary, append(login, "--replicaof", host+" "+port)...)
	synced := func() bool {
		client := redis.NewClient(&redis.Options{Addr: second, Password: testPassword, DB: 1})
		defer client.Close()
		return client.LLen(t.Context(), "dataset").Val() == 4
	}
	require.Eventually(t, synced, time.Minute, 50*time.Millisecond, "the replica never had the master's data")

	sentinel := freeAddress(t)
	_, sentinelPort, err := net.SplitHostPort(sentinel)
	require.NoError(t, err)
	// A failover that fails on a busy machine is tried again after twice its timeout, whose default is 3 minutes.
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
port %s
bind 127.0.0.1
requirepass watch
sentinel monitor dify %s %s 1
sentinel auth-pass dify %s
sentinel down-after-milliseconds dify 500
sentinel failover-timeout dify 2000
`, sentinelPort, host, port, testPassword), 0o600))
	spawn(t, binary, "+slave", config, "--sentinel")

	s := newTestScraper(t, fmt.Sprintf("sentinel://:%s@%s/1", testPassword, sentinel), func(c *Config) {
		onlyDataset(c)
		c.Sentinel.MasterName, c.Sentinel.Password = "dify", "watch"
	})
	md, err := s.scrape(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"dataset": 4, "unacked": 0}, lengths(t, md))

	require.NoError(t, firstProcess.Kill())
	failedOver := func() bool {
		md, err := s.scrape(t.Context())
		if err != nil {
			assert.Zero(t, md.MetricCount(), "an error is a gap")
			return false
		}
		return assert.Equal(t, map[string]int64{"dataset": 4, "unacked": 0}, lengths(t, md))
	}
	require.Eventually(t, failedOver, 2*time.Minute, 200*time.Millisecond, "the replica never became master")
}

// A Redis that loads its data, has lost its master or does not respond leaves a gap and the error says why.
func TestRedisInTrouble(t *testing.T) {
	endpoint := func(addr string) string { return fmt.Sprintf("redis://:%s@%s/1", testPassword, addr) }

	t.Run("loading", func(t *testing.T) {
		dir := t.TempDir()
		addr, process := runRedis(t, redis7(t), "--requirepass", testPassword, "--dir", dir)
		admin(t, addr, func(client *redis.Client) {
			for i := range 300 {
				require.NoError(t, client.Set(t.Context(), fmt.Sprint("key", i), rand.Text()+strings.Repeat("x", 4096), 0).Err())
			}
			require.NoError(t, client.ConfigSet(t.Context(), "rdbcompression", "no").Err())
			require.NoError(t, client.Save(t.Context()).Err())
		})
		require.NoError(t, process.Kill())
		addr = freeAddress(t)
		_, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		spawn(t, redis7(t), "Loading RDB", "--port", port, "--bind", "127.0.0.1", "--requirepass", testPassword,
			"--dir", dir, "--key-load-delay", "100000", "--loading-process-events-interval-bytes", "1024")
		s := newTestScraper(t, endpoint(addr), onlyDataset)
		md, err := s.scrape(t.Context())
		require.ErrorContains(t, err, "Redis is still loading its data")
		assert.Zero(t, md.MetricCount())
	})
	t.Run("a replica without its master", func(t *testing.T) {
		_, port, err := net.SplitHostPort(freeAddress(t))
		require.NoError(t, err)
		addr := startRedis(t, redis7(t), "--replicaof", "127.0.0.1 "+port, "--replica-serve-stale-data", "no")
		md, err := newTestScraper(t, endpoint(addr), onlyDataset).scrape(t.Context())
		require.ErrorContains(t, err, "this Redis is a replica that has lost its master")
		assert.Zero(t, md.MetricCount())
	})
	t.Run("no response", func(t *testing.T) {
		addr, process := runRedis(t, redis7(t), "--requirepass", testPassword)
		require.NoError(t, process.Signal(syscall.SIGSTOP))
		s := newTestScraper(t, endpoint(addr), func(c *Config) { onlyDataset(c); c.Timeout = 200 * time.Millisecond })
		md, err := s.scrape(t.Context())
		require.ErrorContains(t, err, "no response within `timeout`")
		assert.Zero(t, md.MetricCount())
	})
}
