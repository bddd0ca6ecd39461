// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// installed is a template as OpenSearch returns it.
type installed struct {
	IndexPatterns []string `json:"index_patterns"`
	Priority      int      `json:"priority"`
	Version       int      `json:"version"`
	Meta          struct {
		ManagedBy string `json:"managed_by"`
		Checksum  string `json:"checksum"`
	} `json:"_meta"`
	ComposedOf []string `json:"composed_of"`
	Template   struct {
		Settings map[string]any  `json:"settings"`
		Mappings json.RawMessage `json:"mappings"`
		Aliases  map[string]any  `json:"aliases"`
	} `json:"template"`
}

// readTemplate reads the response to a GET. It returns nil without an error if there is no template.
func readTemplate(template Template, status int, response []byte) (*installed, error) {
	switch status {
	case http.StatusNotFound:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, failed(template.what(), status, response)
	}
	var parsed struct {
		Templates []struct {
			Template installed `json:"index_template"`
		} `json:"index_templates"`
	}
	if json.Unmarshal(response, &parsed) != nil || len(parsed.Templates) != 1 {
		return nil, fmt.Errorf("%s: a response that is not OpenSearch's", template.what())
	}
	return &parsed.Templates[0].Template, nil
}

func decideTemplate(found *installed, wanted Template) decision {
	if found == nil {
		return create
	}
	return decide(found.mark(), found.checksum(), templateVersion, wanted.checksum(), wanted.plain().checksum())
}

func (t *installed) mark() *mark {
	if t.Meta.ManagedBy != managedBy {
		return nil
	}
	return &mark{version: t.Version, checksum: t.Meta.Checksum}
}

// checksum returns the checksum of the content, in a form that does not depend on how it was written.
func (t *installed) checksum() string {
	settings := map[string]string{}
	flatten("", t.Template.Settings, settings)
	var mappings any
	decoder := json.NewDecoder(bytes.NewReader(t.Template.Mappings))
	decoder.UseNumber()
	if decoder.Decode(&mappings) != nil {
		mappings = nil
	}
	return checksum([]any{t.IndexPatterns, t.Priority, t.ComposedOf, settings, mappings, t.Template.Aliases})
}

// flatten writes settings as OpenSearch understands them: dotted keys that begin with `index.`, values as text.
func flatten(prefix string, value any, out map[string]string) {
	switch value := value.(type) {
	case map[string]any:
		for key, child := range value {
			path := key
			if prefix != "" {
				path = prefix + "." + key
			}
			flatten(path, child, out)
		}
	default:
		out[prefix] = fmt.Sprint(value)
	}
}
