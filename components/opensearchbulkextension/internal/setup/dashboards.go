// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"
)

const dashboardsWhat = "saved objects of OpenSearch Dashboards"

// ImportObjects writes saved objects to OpenSearch Dashboards: those that do not exist, and those that an older
// version has written and nobody has changed. It leaves what an operator changed as it is.
func ImportObjects(ctx context.Context, exchange Exchange, objects []SavedObject, logger *zap.Logger) error {
	found, err := findObjects(ctx, exchange, objects)
	if err != nil {
		return err
	}
	by := map[decision][]SavedObject{}
	for _, o := range objects {
		what := decideObject(found[o.key()], o)
		by[what] = append(by[what], o)
	}
	if err := importObjects(ctx, exchange, by[create], false); err != nil {
		return err
	}
	if err := importObjects(ctx, exchange, by[update], true); err != nil {
		return err
	}
	report(logger, by)
	return nil
}

func report(logger *zap.Logger, by map[decision][]SavedObject) {
	logger = logger.With(zap.Int("version", objectsVersion))
	if len(by[create]) > 0 || len(by[update]) > 0 {
		logger.Info("The saved objects are written to OpenSearch Dashboards",
			zap.Int("created", len(by[create])), zap.Int("updated", len(by[update])), zap.Int("unchanged", len(by[upToDate])))
	}
	if len(by[keep]) > 0 {
		kept := make([]string, 0, len(by[keep]))
		for _, o := range by[keep] {
			kept = append(kept, o.key())
		}
		logger.Warn("Saved objects were changed by hand or by another version, and are left as they are; "+
			"delete one to get this version's", zap.Strings("objects", kept))
	}
}

// storedObject is an object as OpenSearch Dashboards returns it.
type storedObject struct {
	SavedObject
	Error *struct {
		StatusCode int    `json:"statusCode"`
		Message    string `json:"message"`
	} `json:"error"`
}

// findObjects returns the objects that exist, by their key.
func findObjects(ctx context.Context, exchange Exchange, objects []SavedObject) (map[string]*SavedObject, error) {
	wanted := make([]object, 0, len(objects))
	for _, o := range objects {
		wanted = append(wanted, object{"type": o.Type, "id": o.ID})
	}
	req := Request{Method: http.MethodPost, Path: "/api/saved_objects/_bulk_get", Body: []byte(nested(wanted))}
	status, response, err := exchange(ctx, req)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, dashboardsFailed(status, response)
	}
	var parsed struct {
		Objects []storedObject `json:"saved_objects"`
	}
	if json.Unmarshal(response, &parsed) != nil || len(parsed.Objects) != len(objects) {
		return nil, errors.New(dashboardsWhat + ": a response that is not Dashboards'")
	}
	found := map[string]*SavedObject{}
	for _, o := range parsed.Objects {
		switch {
		case o.Error == nil:
			found[o.key()] = &o.SavedObject
		case o.Error.StatusCode != http.StatusNotFound:
			return nil, fmt.Errorf("%s: %s: status %d", dashboardsWhat, o.key(), o.Error.StatusCode)
		}
	}
	return found, nil
}

// key identifies an object within OpenSearch Dashboards.
func (o SavedObject) key() string { return o.Type + " " + o.ID }

// decideObject never changes an index pattern for our indices: it has no place for a mark, and OpenSearch Dashboards
// itself writes the list of fields into it.
func decideObject(found *SavedObject, wanted SavedObject) decision {
	switch {
	case found == nil:
		return create
	case wanted.Type == typeIndexPattern && found.Attributes["title"] == wanted.Attributes["title"]:
		return upToDate
	}
	description, _ := found.Attributes["description"].(string)
	_, left := cutMark(description)
	return decide(left, found.checksum(), objectsVersion, wanted.checksum())
}

// checksum returns the checksum of the content, including the description without its mark.
func (o SavedObject) checksum() string {
	attributes := maps.Clone(o.Attributes)
	if description, ok := attributes["description"].(string); ok {
		attributes["description"], _ = cutMark(description)
	}
	references := slices.Clone(o.References)
	slices.SortFunc(references, func(a, b reference) int { return strings.Compare(a.Name, b.Name) })
	return checksum([]any{attributes, references})
}

// marked is the object as it is imported.
func (o SavedObject) marked() SavedObject {
	description, ok := o.Attributes["description"].(string)
	if !ok {
		return o
	}
	m := mark{objectsVersion, o.checksum()}
	o.Attributes = maps.Clone(o.Attributes)
	o.Attributes["description"] = withMark(description, m)
	return o
}

// importObjects sends a file to Dashboards.
func importObjects(ctx context.Context, exchange Exchange, objects []SavedObject, overwrite bool) error {
	if len(objects) == 0 {
		return nil
	}
	req, err := importRequest(objects, overwrite)
	if err != nil {
		return err
	}
	status, response, err := exchange(ctx, req)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return dashboardsFailed(status, response)
	}
	return readImport(response)
}

func importRequest(objects []SavedObject, overwrite bool) (Request, error) {
	marked := make([]SavedObject, 0, len(objects))
	for _, o := range objects {
		marked = append(marked, o.marked())
	}
	lines, err := NDJSON(marked)
	if err != nil {
		return Request{}, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "otelcol-dify.ndjson")
	if err != nil {
		return Request{}, err
	}
	_, wrote := file.Write(lines)
	if err := errors.Join(wrote, form.Close()); err != nil {
		return Request{}, err
	}
	return Request{
		Method:      http.MethodPost,
		Path:        fmt.Sprintf("/api/saved_objects/_import?overwrite=%t", overwrite),
		ContentType: form.FormDataContentType(),
		Body:        body.Bytes(),
	}, nil
}

// readImport distinguishes what failed for now from what is permanently rejected. A conflict is an object that
// somebody created since findObjects: the next attempt finds it.
func readImport(response []byte) (err error) {
	var parsed struct {
		Success *bool `json:"success"`
		Errors  []struct {
			ID    string `json:"id"`
			Error struct {
				Type       string `json:"type"`
				StatusCode int    `json:"statusCode"`
			} `json:"error"`
		} `json:"errors"`
	}
	if json.Unmarshal(response, &parsed) != nil || parsed.Success == nil {
		return errors.New(dashboardsWhat + ": a response that is not Dashboards'")
	}
	for _, failure := range parsed.Errors {
		if failure.Error.Type == "conflict" || failure.Error.StatusCode >= http.StatusInternalServerError {
			err = errors.Join(err, fmt.Errorf("%s: %s: %s", dashboardsWhat, failure.ID, failure.Error.Type))
			continue
		}
		err = errors.Join(err, &RejectedError{
			What:   dashboardsWhat,
			Status: failure.Error.StatusCode,
			Type:   failure.Error.Type,
			Reason: failure.ID,
		})
	}
	return err
}

// dashboardsFailed is like failed, for the errors of OpenSearch Dashboards.
func dashboardsFailed(status int, response []byte) error {
	var parsed struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	rejected := status == http.StatusBadRequest || status == http.StatusForbidden || status == http.StatusNotFound
	if rejected && json.Unmarshal(response, &parsed) == nil && parsed.Error != "" {
		return &RejectedError{What: dashboardsWhat, Status: status, Type: parsed.Error, Reason: parsed.Message}
	}
	return fmt.Errorf("%s: status %d", dashboardsWhat, status)
}
