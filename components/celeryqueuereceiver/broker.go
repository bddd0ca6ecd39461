// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// broker is a parsed broker URL, in the forms that kombu accepts.
type broker struct {
	network  string // tcp or unix
	addrs    []string
	sentinel bool
	tls      bool
	// verify and skipVerify are kombu's ssl_cert_reqs; without it both are false.
	verify, skipVerify bool
	// skipHost is kombu's ssl_check_hostname=false: the certificate may be for another host.
	skipHost                  bool
	caFile, certFile, keyFile string
	username, password        string
	db                        int
}

const expectedForm = "expected redis://user:password@host:port/db"

// parseBroker parses a broker URL. Its errors never quote any part of the URL, which may contain a password.
func parseBroker(raw string) (broker, error) {
	var b broker
	for i, part := range strings.Split(raw, ";") {
		u, err := splitURL(part)
		if err != nil {
			return broker{}, err
		}
		if i > 0 && u.scheme != "sentinel" {
			return broker{}, errors.New("may have several URLs, separated by `;`, only if they are sentinel://")
		}
		if err := b.add(u); err != nil {
			return broker{}, err
		}
	}
	return b, nil
}

func (b *broker) add(u brokerURL) error {
	port := redisPort
	switch u.scheme {
	case "redis":
	case "rediss":
		b.tls = true
	case "sentinel":
		b.sentinel = true
		port = sentinelPort
	case "redis+socket", "unix":
		return b.addSocket(u)
	default:
		return errors.New("must begin with redis://, rediss://, sentinel:// or redis+socket://; " +
			"other brokers of Celery are not supported")
	}
	b.network = "tcp"
	if u.host == "" {
		return errors.New("has no host; " + expectedForm)
	}
	if u.port != "" {
		port = u.port
	}
	b.addrs = append(b.addrs, net.JoinHostPort(u.host, port))
	b.addCredentials(u)
	if err := b.setDB(strings.Trim(u.path, "/")); err != nil {
		return err
	}
	return b.setTLS(u.query)
}

func (b *broker) addSocket(u brokerURL) error {
	if u.path == "" {
		return errors.New("has no path to the socket; expected redis+socket:///path/to/redis.sock?virtual_host=1")
	}
	b.network = "unix"
	b.addrs = append(b.addrs, u.path)
	b.addCredentials(u)
	return b.setDB(u.query.Get("virtual_host"))
}

// addCredentials keeps the first: those of further Sentinels are the same or absent.
func (b *broker) addCredentials(u brokerURL) {
	if b.username == "" && b.password == "" {
		b.username, b.password = u.username, u.password
	}
}

// setDB sets the database's number, which is 0 by default as in kombu.
func (b *broker) setDB(text string) error {
	if text == "" {
		return nil
	}
	db, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || db < 0 {
		return errors.New("must have the number of the database as its path, like redis://host:6379/1")
	}
	b.db = db
	return nil
}

// setTLS reads the options that kombu and redis-py accept in a rediss:// URL.
func (b *broker) setTLS(q url.Values) error {
	if text := q.Get("ssl_cert_reqs"); text != "" {
		verify, err := verifies(text)
		if err != nil {
			return fmt.Errorf("%w as ssl_cert_reqs", err)
		}
		b.skipVerify, b.verify = !verify, verify
	}
	b.skipHost = strings.EqualFold(q.Get("ssl_check_hostname"), "false")
	b.caFile = q.Get("ssl_ca_certs")
	b.certFile = q.Get("ssl_certfile")
	b.keyFile = q.Get("ssl_keyfile")
	return nil
}

// verifies parses Python's names for how a certificate is verified, in the forms that kombu and Dify accept.
func verifies(text string) (bool, error) {
	switch strings.TrimPrefix(strings.ToLower(text), "cert_") {
	case "required", "optional": // for a client both mean that the server's certificate is verified
		return true, nil
	case "none":
		return false, nil
	}
	return false, fmt.Errorf("must have %q, %q or %q", "required", "optional", "none")
}

// identity identifies the broker's database, without credentials.
func (b broker) identity() string {
	return strings.Join(b.addrs, ",") + "/" + strconv.Itoa(b.db)
}
