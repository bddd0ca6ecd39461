// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"fmt"
	"net/http"

	"go.uber.org/zap"
)

// ApplyTemplate puts a template in place, unless it is there already or an operator has made it theirs.
func ApplyTemplate(ctx context.Context, exchange Exchange, template Template, logger *zap.Logger) error {
	path := "/_index_template/" + template.Name
	status, answer, err := exchange(ctx, Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	found, err := readTemplate(template, status, answer)
	if err != nil {
		return err
	}
	what := decideTemplate(found, template)
	logger = logger.With(zap.String("template", template.Name), zap.Int("version", templateVersion))
	switch what {
	case upToDate:
		logger.Debug("The index template is in place")
		return nil
	case keep:
		logger.Warn("The index template was changed by hand or by another version, and is left as it is; delete it to get this version's")
		return nil
	}
	if err := putTemplate(ctx, exchange, path, template); err != nil {
		return err
	}
	logger.Info("The index template is written", zap.String("because", string(what)))
	return nil
}

// putTemplate writes the template, in its plain form for a server that does not know the better one.
func putTemplate(ctx context.Context, exchange Exchange, path string, template Template) (err error) {
	for _, body := range [][]byte{template.body(), template.plainBody()} {
		status, answer, lost := exchange(ctx, Request{Method: http.MethodPut, Path: path, Body: body})
		if lost != nil {
			return lost
		}
		if status == http.StatusOK {
			return nil
		}
		if err = failed(template.what(), status, answer); status != http.StatusBadRequest {
			return err
		}
	}
	return err
}

func (t Template) what() string { return fmt.Sprintf("index template %q", t.Name) }
