// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package neterr explains why a server can't be reached.
package neterr

import (
	"fmt"
	"strings"
)

// Server is what an operator knows a server by.
type Server struct {
	// Name of the product, as in "OpenSearch".
	Name string
	// Address that was tried, without credentials.
	Address string
	// Setting is where the address is configured, as in "`endpoint` (CELERY_BROKER_URL)".
	Setting string
	// Plain and Secure are what to configure for a server without and with TLS, as in "redis://".
	Plain, Secure string
	// Trust is where a certificate authority is configured.
	Trust string
	// UnknownHost, if set, is added where the host name is unknown.
	UnknownHost string
}

// Explain puts the server and the likely fix before err. An error that no network has is returned unchanged.
func (s Server) Explain(err error) error {
	if hint := s.Hint(err); hint != "" {
		return fmt.Errorf("%s at %s, from %s: %s: %w", s.Name, s.Address, s.Setting, hint, err)
	}
	return err
}

// Hint returns the likely fix, "" for an error that no network has. It goes by the text: drivers wrap errors of the net
// package in ways that errors.As does not see through.
func (s Server) Hint(err error) string {
	text := err.Error()
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no such host", "server misbehaving", "Temporary failure in name resolution"):
		hint := "this host name is unknown here; check it, and that the collector is on the server's (Docker) network"
		if s.UnknownHost != "" {
			hint += "; " + s.UnknownHost
		}
		return hint
	case has("connection refused"):
		return "nothing listens there; check the host and the port, and that the server runs"
	case has("does not look like a TLS handshake", "HTTP response to HTTPS client"):
		return "the server does not use TLS; use " + s.Plain
	case has("certificate"):
		return fmt.Sprintf("the server's certificate was not accepted; set %s to its certificate authority, and use "+
			"the host name that the certificate has", s.Trust)
	case has("EOF", "connection reset by peer", "malformed HTTP", "broken pipe", "server closed idle connection"):
		return fmt.Sprintf("the connection was closed; if the server uses TLS, use %s, else check the port", s.Secure)
	case has("i/o timeout", "deadline exceeded", "Timeout exceeded", "no route to host", "network is unreachable"):
		return "no response; check the address, and firewalls between here and there"
	}
	return ""
}
