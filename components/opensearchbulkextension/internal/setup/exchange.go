// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package setup prepares OpenSearch for the documents that the exporter writes, and OpenSearch Dashboards for the
// people who search them. What it writes carries a mark with a checksum of its content: what no longer fits its
// checksum was changed by hand, and is left alone for good.
package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Request is what is asked of OpenSearch or of Dashboards.
type Request struct {
	Method      string
	Path        string
	ContentType string // default: JSON
	Body        []byte
}

// Exchange sends one request. Its error is a temporary one: there was no answer.
type Exchange func(ctx context.Context, req Request) (status int, answer []byte, err error)

// RejectedError says that something will not be taken, however often it is sent.
type RejectedError struct {
	What   string // as in `index template "x"`
	Status int
	Type   string
	Reason string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("%s: status %d, %s: %s", e.What, e.Status, e.Type, e.Reason)
}

// StatusError says that something was not taken this time.
type StatusError struct {
	What   string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d", e.What, e.Status)
}

// failed describes an answer that is not the one hoped for: a RejectedError if the next try would end the same way.
func failed(what string, status int, answer []byte) error {
	if rejection := rejectionOf(what, status, answer); rejection != nil {
		return rejection
	}
	return &StatusError{What: what, Status: status}
}

func rejectionOf(what string, status int, answer []byte) *RejectedError {
	if status != http.StatusBadRequest && status != http.StatusForbidden {
		return nil
	}
	var parsed struct {
		Error struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"error"`
	}
	if json.Unmarshal(answer, &parsed) != nil || parsed.Error.Type == "" {
		return nil // not OpenSearch's answer
	}
	if parsed.Error.Type == "cluster_block_exception" {
		return nil
	}
	return &RejectedError{What: what, Status: status, Type: parsed.Error.Type, Reason: parsed.Error.Reason}
}
