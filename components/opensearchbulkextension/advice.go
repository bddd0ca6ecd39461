// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/setup"
)

// What an operator can do about a failure that does not pass by itself.
const (
	adviceLogin       = "OpenSearch refuses the login: give the authenticator a valid one and restart the collector; nothing that is held is lost by that"
	adviceRole        = "the login lacks a right: compare its role with the one in the README of opensearch_bulk"
	adviceBlock       = "an index or the cluster is blocked for writing, as on a full disk: free space, then remove the block"
	adviceShards      = "no shard can be added: delete old indices or raise cluster.max_shards_per_node"
	adviceNoIndex     = "the cluster creates no indices by itself: allow it with action.auto_create_index"
	adviceAddress     = "what answers there is not OpenSearch: check the endpoint and what stands in front of it"
	adviceCertificate = "OpenSearch's certificate is not trusted: name its authority in `http::tls::ca_file` of the exporter and of opensearch_bulk"
)

// adviceOnStatus is for a status, of a request or of one document, and the type of the error that came with it, if any.
func adviceOnStatus(status int, kind string) string {
	switch {
	case status == http.StatusUnauthorized:
		return adviceLogin
	case kind == "cluster_block_exception":
		return adviceBlock
	case status == http.StatusForbidden:
		return adviceRole
	case kind == "validation_exception":
		return adviceShards
	case kind == "index_not_found_exception":
		return adviceNoIndex
	case status >= http.StatusMultipleChoices && status < http.StatusInternalServerError && kind == "" &&
		status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
		return adviceAddress
	default:
		return ""
	}
}

func adviceOnSetup(err error) string {
	if answer, ok := errors.AsType[*setup.StatusError](err); ok {
		return adviceOnStatus(answer.Status, "")
	}
	if unanswered, ok := errors.AsType[*failure](err); ok {
		return unanswered.advice
	}
	return ""
}

func adviceOnError(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return adviceCertificate
	}
	return ""
}
