// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"fmt"
	"net/http"

	"go.uber.org/zap"
)

// ApplyTemplate writes a template, unless it is in place already or an operator has changed it.
func ApplyTemplate(ctx context.Context, exchange Exchange, template Template, logger *zap.Logger) error {
	path := "/_index_template/" + template.Name
	status, response, err := exchange(ctx, Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	found, err := readTemplate(template, status, response)
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
		logger.Warn("The index template " + template.Name + " was changed by hand or by another version, and is left as " +
			"it is; delete it to get this version's")
		return nil
	}
	if err := putTemplate(ctx, exchange, path, template); err != nil {
		return err
	}
	// With its name, because the log may be set to sample equal messages.
	logger.Info("The index template "+template.Name+" is written", zap.String("because", string(what)))
	return nil
}

// putTemplate writes the template, in its plain form if the server does not support the better one.
func putTemplate(ctx context.Context, exchange Exchange, path string, template Template) (err error) {
	for _, body := range [][]byte{template.body(), template.plainBody()} {
		status, response, lost := exchange(ctx, Request{Method: http.MethodPut, Path: path, Body: body})
		if lost != nil {
			return lost
		}
		if status == http.StatusOK {
			return nil
		}
		if err = failed(template.what(), status, response); status != http.StatusBadRequest {
			return err
		}
	}
	return err
}

func (t Template) what() string { return fmt.Sprintf("index template %q", t.Name) }
