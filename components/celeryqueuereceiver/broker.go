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

// broker is what a broker URL says, in the forms that kombu takes.
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

// parseBroker reads a broker URL. Its errors never repeat any part of the URL, which may hold a password.
func parseBroker(raw string) (broker, error) {
	var b broker
	for i, part := range strings.Split(raw, ";") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return broker{}, errors.New("not a URL; expected redis://user:password@host:port/db, with special characters in the password percent-encoded")
		}
		if i > 0 && u.Scheme != "sentinel" {
			return broker{}, errors.New("only sentinel:// URLs may be several, separated by `;`")
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
		return errors.New("must begin with redis://, rediss://, sentinel:// or redis+socket://; other brokers of Celery are not supported")
	}
	b.network = "tcp"
	host := u.Hostname()
	if host == "" {
		return errors.New("has no host; expected redis://user:password@host:port/db, with special characters in the password percent-encoded")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	b.addrs = append(b.addrs, net.JoinHostPort(host, port))
	b.addLogin(u)
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
	b.addLogin(u)
	return b.setDB(u.Query().Get("virtual_host"))
}

func (b *broker) addLogin(u *url.URL) {
	if u.User == nil {
		return
	}
	b.username = u.User.Username()
	b.password, _ = u.User.Password()
}

// setDB keeps the database's number; like kombu it takes none as 0.
func (b *broker) setDB(text string) error {
	if text == "" {
		return nil
	}
	db, err := strconv.Atoi(text)
	if err != nil || db < 0 {
		return errors.New("the path must be the number of the database, like redis://host:6379/1")
	}
	b.db = db
	return nil
}

// setTLS reads the options that kombu and redis-py take in a rediss:// URL.
func (b *broker) setTLS(q url.Values) error {
	switch strings.TrimPrefix(strings.ToLower(q.Get("ssl_cert_reqs")), "cert_") {
	case "", "required", "optional": // for a client both mean that the server's certificate is checked
	case "none":
		b.skipVerify = true
	default:
		return fmt.Errorf("ssl_cert_reqs must be %q, %q or %q", "required", "optional", "none")
	}
	b.caFile = q.Get("ssl_ca_certs")
	b.certFile = q.Get("ssl_certfile")
	b.keyFile = q.Get("ssl_keyfile")
	return nil
}

// identity names the broker's database without its login.
func (b broker) identity() string {
	return strings.Join(b.addrs, ",") + "/" + strconv.Itoa(b.db)
}
