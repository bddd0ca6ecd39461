// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
)

// managedBy marks a template as ours in its `_meta`. An operator who takes a template over removes it.
const managedBy = "otelcol-dify"

// decision is what to do about one template; its text is for the log.
type decision string

const (
	create   decision = "there was none"
	update   decision = "it was an older one of ours"
	upToDate decision = "up to date"
	keep     decision = "changed by hand"
)

func (d decision) String() string { return string(d) }

// installed is a template as OpenSearch gives it back.
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

// readTemplate reads the answer to a GET; nil without an error means that there is none.
func readTemplate(name string, status int, answer []byte) (*installed, error) {
	switch status {
	case http.StatusNotFound:
		return nil, nil
	case http.StatusOK:
	default:
		if refusal := refusedFor(name, status, answer); refusal != nil {
			return nil, refusal
		}
		return nil, temporaryError(name, status)
	}
	var parsed struct {
		Templates []struct {
			Template installed `json:"index_template"`
		} `json:"index_templates"`
	}
	if json.Unmarshal(answer, &parsed) != nil || len(parsed.Templates) != 1 {
		return nil, fmt.Errorf("index template %q: an answer that is not OpenSearch's", name)
	}
	return &parsed.Templates[0].Template, nil
}

// decide compares what is installed with what is wanted. The checksum in `_meta` is that of the content we wrote, so a
// content that no longer fits it was changed by hand.
func decide(found *installed, wanted Template) decision {
	switch {
	case found == nil:
		return create
	case found.Meta.ManagedBy != managedBy, found.Version > templateVersion:
		return keep
	case found.Meta.Checksum != found.checksum():
		return keep
	case found.Meta.Checksum == wanted.checksum(), found.Meta.Checksum == wanted.plain().checksum():
		return upToDate
	default:
		return update
	}
}

// checksum is that of the content alone, in a form that does not depend on how it was written.
func (t *installed) checksum() string {
	settings := map[string]string{}
	flatten("", t.Template.Settings, settings)
	var mappings any
	decoder := json.NewDecoder(bytes.NewReader(t.Template.Mappings))
	decoder.UseNumber()
	if decoder.Decode(&mappings) != nil {
		mappings = nil
	}
	canonical, err := json.Marshal([]any{t.IndexPatterns, t.Priority, t.ComposedOf, settings, mappings, t.Template.Aliases})
	if err != nil { // can't be: all of it came from JSON
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:8])
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
