// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package setup prepares an OpenSearch cluster for the documents that the exporter writes. It never changes what an operator changed.
package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"go.uber.org/zap"
)

// Exchange sends one request to OpenSearch. Its error is a temporary one: there was no answer.
type Exchange func(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error)

// RefusedError says that OpenSearch will not take a template, however often it is sent.
type RefusedError struct {
	Template string
	Status   int
	Type     string
	Reason   string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("index template %q: status %d, %s: %s", e.Template, e.Status, e.Type, e.Reason)
}

// Apply puts a template in place, unless it is there already or an operator has made it theirs.
func Apply(ctx context.Context, exchange Exchange, template Template, logger *zap.Logger) error {
	path := "/_index_template/" + template.Name
	status, answer, err := exchange(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	found, err := readTemplate(template.Name, status, answer)
	if err != nil {
		return err
	}
	what := decide(found, template)
	logger = logger.With(zap.String("template", template.Name), zap.Int("version", templateVersion))
	switch what {
	case upToDate:
		logger.Debug("The index template is in place")
		return nil
	case keep:
		logger.Warn("The index template was changed by hand or by another version, and is left as it is; delete it to get this version's")
		return nil
	}
	if err := put(ctx, exchange, path, template); err != nil {
		return err
	}
	logger.Info("The index template is written", zap.Stringer("because", what))
	return nil
}

// put writes the template, in its plain form for a server that does not know the better one.
func put(ctx context.Context, exchange Exchange, path string, template Template) error {
	var refusal *RefusedError
	for _, body := range [][]byte{template.body(), template.plainBody()} {
		status, answer, err := exchange(ctx, http.MethodPut, path, body)
		if err != nil {
			return err
		}
		if status == http.StatusOK {
			return nil
		}
		if refusal = refusedFor(template.Name, status, answer); refusal == nil {
			return temporaryError(template.Name, status)
		}
		if status != http.StatusBadRequest {
			break
		}
	}
	return refusal
}

// refusedFor is the refusal in an answer, nil if the next try may end differently.
func refusedFor(name string, status int, answer []byte) *RefusedError {
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
	return &RefusedError{Template: name, Status: status, Type: parsed.Error.Type, Reason: parsed.Error.Reason}
}

func temporaryError(name string, status int) error {
	return fmt.Errorf("index template %q: status %d", name, status)
}
