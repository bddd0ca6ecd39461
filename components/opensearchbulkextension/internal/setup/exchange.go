// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package setup prepares OpenSearch for the documents that the exporter writes, and OpenSearch Dashboards for the
// people who search them. What it writes carries a mark with a checksum of its content: if the content no longer
// matches its checksum, it was changed by hand and is never written again.
package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Request is a request to OpenSearch or to OpenSearch Dashboards.
type Request struct {
	Method      string
	Path        string
	ContentType string // default: JSON
	Body        []byte
}

// Exchange sends one request. Its error is temporary: there was no response.
type Exchange func(ctx context.Context, req Request) (status int, response []byte, err error)

// RejectedError means that something is permanently rejected: a retry would have the same result.
type RejectedError struct {
	What   string // as in `index template "x"`
	Status int
	Type   string
	Reason string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("%s: status %d, %s: %s", e.What, e.Status, e.Type, e.Reason)
}

// StatusError means that something was not accepted this time.
type StatusError struct {
	What   string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d", e.What, e.Status)
}

// failed returns the error for an unexpected response: a RejectedError if a retry would have the same result.
func failed(what string, status int, response []byte) error {
	if rejection := rejectionOf(what, status, response); rejection != nil {
		return rejection
	}
	return &StatusError{What: what, Status: status}
}

func rejectionOf(what string, status int, response []byte) *RejectedError {
	if status != http.StatusBadRequest && status != http.StatusForbidden {
		return nil
	}
	var parsed struct {
		Error struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"error"`
	}
	if json.Unmarshal(response, &parsed) != nil || parsed.Error.Type == "" {
		return nil // not OpenSearch's response
	}
	if parsed.Error.Type == "cluster_block_exception" {
		return nil
	}
	return &RejectedError{What: what, Status: status, Type: parsed.Error.Type, Reason: parsed.Error.Reason}
}
