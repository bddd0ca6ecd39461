// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"net/url"
	"strings"

	"github.com/getsentry/sentry-go"
)

// DSN is a parsed DSN.
type DSN struct {
	// URL is the address of the envelope endpoint, without the key.
	URL string
	// Host is for messages.
	Host string
	// Project names the project in telemetry and storage, by host, path and number.
	Project string

	publicKey, secretKey string // must not get into a log line or an error
}

// ParseDSN parses a DSN. Its errors do not quote the key, as those of sentry-go do.
func ParseDSN(raw string) (DSN, error) {
	if _, err := url.Parse(raw); err != nil {
		return DSN{}, errors.New("it is not a URL")
	}
	dsn, err := sentry.NewDsn(raw)
	if err != nil {
		return DSN{}, dsnError(err)
	}
	if strings.Trim(dsn.GetProjectID(), "0123456789") != "" {
		return DSN{}, errors.New("its project is not a number")
	}
	api := dsn.GetAPIURL()
	return DSN{
		URL: api.String(), Host: dsn.GetHost(),
		Project:   api.Host + strings.TrimRight(dsn.GetPath(), "/") + "/" + dsn.GetProjectID(),
		publicKey: dsn.GetPublicKey(), secretKey: dsn.GetSecretKey(),
	}, nil
}

// auth returns the value of the header X-Sentry-Auth.
func (d DSN) auth(userAgent string) string {
	auth := "Sentry sentry_version=7, sentry_client=" + userAgent + ", sentry_key=" + d.publicKey
	if d.secretKey != "" {
		auth += ", sentry_secret=" + d.secretKey
	}
	return auth
}

func dsnError(err error) error {
	for kind, text := range map[string]string{
		"invalid scheme":   "it does not begin with http:// or https://",
		"empty username":   "it has no public key before the @",
		"empty host":       "it has no host",
		"invalid port":     "its port is not a number",
		"empty project id": "it has no project number at its end",
	} {
		if strings.HasSuffix(err.Error(), kind) {
			return errors.New(text)
		}
	}
	return errors.New("it is not a URL")
}
