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
	// skipVerify is kombu's ssl_cert_reqs=none (or CERT_NONE).
	skipVerify                bool
	caFile, certFile, keyFile string
	username, password        string
	db                        int
}

const expectedForm = "expected redis://user:password@host:port/db, " +
	"with special characters in the password percent-encoded"

// parseBroker parses a broker URL. Its errors never quote any part of the URL, which may contain a password.
func parseBroker(raw string) (broker, error) {
	var b broker
	for i, part := range strings.Split(raw, ";") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return broker{}, errors.New("is not a URL; " + expectedForm)
		}
		if i > 0 && u.Scheme != "sentinel" {
			return broker{}, errors.New("may have several URLs, separated by `;`, only if they are sentinel://")
		}
		if err := b.add(u); err != nil {
			return broker{}, err
		}
	}
	return b, nil
}

func (b *broker) add(u *url.URL) error {
	port := redisPort
	switch u.Scheme {
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
	host := u.Hostname()
	if host == "" {
		return errors.New("has no host; " + expectedForm)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	b.addrs = append(b.addrs, net.JoinHostPort(host, port))
	b.addCredentials(u)
	if err := b.setDB(strings.Trim(u.Path, "/")); err != nil {
		return err
	}
	return b.setTLS(u.Query())
}

func (b *broker) addSocket(u *url.URL) error {
	if u.Path == "" {
		return errors.New("has no path to the socket; expected redis+socket:///path/to/redis.sock?virtual_host=1")
	}
	b.network = "unix"
	b.addrs = append(b.addrs, u.Path)
	b.addCredentials(u)
	return b.setDB(u.Query().Get("virtual_host"))
}

func (b *broker) addCredentials(u *url.URL) {
	if u.User == nil {
		return
	}
	b.username = u.User.Username()
	b.password, _ = u.User.Password()
}

// setDB sets the database's number, which is 0 by default as in kombu.
func (b *broker) setDB(text string) error {
	if text == "" {
		return nil
	}
	db, err := strconv.Atoi(text)
	if err != nil || db < 0 {
		return errors.New("must have the number of the database as its path, like redis://host:6379/1")
	}
	b.db = db
	return nil
}

// setTLS reads the options that kombu and redis-py accept in a rediss:// URL.
func (b *broker) setTLS(q url.Values) error {
	switch strings.TrimPrefix(strings.ToLower(q.Get("ssl_cert_reqs")), "cert_") {
	case "", "required", "optional": // for a client both mean that the server's certificate is checked
	case "none":
		b.skipVerify = true
	default:
		return fmt.Errorf("must have %q, %q or %q as ssl_cert_reqs", "required", "optional", "none")
	}
	b.caFile = q.Get("ssl_ca_certs")
	b.certFile = q.Get("ssl_certfile")
	b.keyFile = q.Get("ssl_keyfile")
	return nil
}

// identity identifies the broker's database, without credentials.
func (b broker) identity() string {
	return strings.Join(b.addrs, ",") + "/" + strconv.Itoa(b.db)
}
