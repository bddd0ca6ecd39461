// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// disableDriverLog keeps the driver from writing to standard error instead of the collector's logger. Every failure
// that it writes there is also returned as the error of a collection.
var disableDriverLog = sync.OnceFunc(logging.Disable)

// sentinelPool is far more connections than a collection needs, which is one. After as many failed dials the driver
// begins to probe Sentinel each second, in a goroutine that outlives Close by up to a second.
const sentinelPool = 1000

// newClient returns a client that has not connected yet: the broker may be unavailable when the collector starts.
func newClient(ctx context.Context, cfg *Config, b broker) (redis.UniversalClient, error) {
	disableDriverLog()
	tlsConfig, err := tlsConfig(ctx, cfg, b)
	if err != nil {
		return nil, fmt.Errorf("`tls`: %w", err)
	}
	if b.sentinel {
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName:       cfg.Sentinel.MasterName,
			SentinelAddrs:    b.addrs,
			SentinelPassword: string(cfg.Sentinel.Password),
			Username:         b.username,
			Password:         b.password,
			DB:               b.db,
			PoolSize:         sentinelPool,
			MaxRetries:       -1,
			DialTimeout:      cfg.Timeout,
			ReadTimeout:      cfg.Timeout,
			DialerRetries:    1,
			Protocol:         2,
			DisableIdentity:  true,
			TLSConfig:        tlsConfig,
		}), nil
	}
	options := &redis.Options{
		Network:         b.network,
		Addr:            b.addrs[0],
		Username:        b.username,
		Password:        b.password,
		DB:              b.db,
		PoolSize:        1,
		MaxRetries:      -1, // the next collection is the retry
		DialTimeout:     cfg.Timeout,
		ReadTimeout:     cfg.Timeout,
		DialerRetries:   1,
		Protocol:        2,    // Redis 5 has no HELLO
		DisableIdentity: true, // an ACL user does not need permission for CLIENT
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
		TLSConfig: tlsConfig,
	}
	options.Dialer = failLater(redis.NewDialer(options))
	return redis.NewClient(options), nil
}

// tlsConfig combines the `tls` section with kombu's options in the URL. The section takes precedence.
func tlsConfig(ctx context.Context, cfg *Config, b broker) (*tls.Config, error) {
	if !b.tls {
		return nil, nil //nolint:nilnil // redis.Options: nil is a connection without TLS
	}
	section := cfg.TLS
	if section.CAFile == "" {
		section.CAFile = b.caFile
	}
	if section.CertFile == "" && section.KeyFile == "" {
		section.CertFile, section.KeyFile = b.certFile, b.keyFile
	}
	if verify, err := verifies(cfg.CertReqs); err == nil && !verify && !b.verify {
		section.InsecureSkipVerify = true
	}
	section.InsecureSkipVerify = section.InsecureSkipVerify || b.skipVerify
	section.Insecure = false // the scheme has decided
	config, err := section.LoadTLSConfig(ctx)
	if err == nil && b.skipHost && !config.InsecureSkipVerify {
		verifyChainOnly(config)
	}
	return config, err
}

// verifyChainOnly accepts a certificate for another host, as long as a trusted authority has issued it.
func verifyChainOnly(config *tls.Config) {
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server has no certificate")
		}
		options := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
		for _, intermediate := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(intermediate)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// failLater gives the driver a connection that returns on first use the error of the failed dial. If the dial itself
// failed, the driver would start a goroutine that tries again every second, even for some time after Close; instead,
// the next collection dials again.
func failLater(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			return conn, nil
		}
		idle, _ := net.Pipe() // for deadlines and addresses
		// A new error: the driver would unwrap err and lose the address.
		return failedConn{Conn: idle, err: errors.New(err.Error())}, nil
	}
}

type failedConn struct {
	net.Conn
	err error
}

func (c failedConn) Read([]byte) (int, error)  { return 0, c.err }
func (c failedConn) Write([]byte) (int, error) { return 0, c.err }
