// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/neterr"
)

// What an operator can do about a failure that does not pass automatically.
const (
	adviceLogin = "OpenSearch rejects the credentials: give the authenticator valid ones and restart the collector; " +
		"no blocked request is lost by that"
	adviceRole  = "the user lacks a permission: compare its role with the one in the README of opensearch_bulk"
	adviceBlock = "an index or the cluster is blocked for writing, for example because a disk is full: free space, " +
		"then remove the block"
	adviceShards  = "no shard can be added: delete old indices or raise cluster.max_shards_per_node"
	adviceNoIndex = "the cluster does not create indices automatically: allow it with action.auto_create_index"
	adviceAddress = "the server that responds is not OpenSearch: check the endpoint and the proxies before it"

	adviceCertificate = "OpenSearch's certificate is not trusted: name its authority in `http::tls::ca_file` of the " +
		"exporter and of opensearch_bulk"
)

// AdviceOnStatus returns the advice for a status, of a request or of one document, and the type of the error that
// came with it, if there is one. It returns "" if the failure passes automatically.
func AdviceOnStatus(status int, kind string) string {
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

// server is what an operator knows OpenSearch by.
var server = neterr.Server{
	Plain:  "http:// in OTELCOL_OPENSEARCH_URL (`http::endpoint` of the exporter and of opensearch_bulk)",
	Secure: "https:// in OTELCOL_OPENSEARCH_URL (`http::endpoint` of the exporter and of opensearch_bulk)",
}

func adviceOnError(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return adviceCertificate
	}
	hint := server.Hint(err)
	if hint != "" && !strings.Contains(hint, "OTELCOL_OPENSEARCH_URL") {
		hint += "; the address is OTELCOL_OPENSEARCH_URL (`http::endpoint` of the exporter and of opensearch_bulk)"
	}
	return hint
}
