// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

const (
	// unknownValue replaces an attribute that a document does not have.
	unknownValue = "unknown"
	// maxIndexValue bounds what an attribute adds to an index name, which may have 255 bytes.
	maxIndexValue = 100
)

// indexName is the index name of an exporter, split at its `{key}` placeholders.
type indexName struct {
	literals []string // one more than keys; escaped for a JSON string
	keys     []string
	wanted   []string // what the scanner has to look for: the fixed paths, then placeholderPaths for each key
}

// placeholderPaths are the places where a document may have an attribute, in order of precedence: a record's own
// attribute (as ss4o, ecs and flatten_attributes write it), then the resource's.
func placeholderPaths(key string) []string {
	return []string{"attributes." + key, "Attributes." + key, key, "resource." + key}
}

// parseIndexName splits name at the placeholders of allowed keys. Any other text in braces stays as it is.
func parseIndexName(name string, allowed []string) *indexName {
	parsed := &indexName{wanted: slices.Clone(documentPaths)}
	literal := ""
	for {
		start := strings.IndexByte(name, '{')
		end := strings.IndexByte(name, '}')
		if start < 0 || end < start {
			break
		}
		key := name[start+1 : end]
		if !slices.Contains(allowed, key) {
			literal += name[:end+1]
		} else {
			parsed.literals = append(parsed.literals, jsonText(literal+name[:start]))
			parsed.keys = append(parsed.keys, key)
			parsed.wanted = append(parsed.wanted, placeholderPaths(key)...)
			literal = ""
		}
		name = name[end+1:]
	}
	parsed.literals = append(parsed.literals, jsonText(literal+name))
	return parsed
}

// Placeholders returns the texts in braces of an index name.
func Placeholders(name string) []string {
	var keys []string
	for {
		start := strings.IndexByte(name, '{')
		end := strings.IndexByte(name, '}')
		if start < 0 || end < start {
			return keys
		}
		keys = append(keys, name[start+1:end])
		name = name[end+1:]
	}
}

// appendTo writes the index name of one document, without its day.
func (n *indexName) appendTo(out []byte, value func(key int) string) []byte {
	for i := range n.keys {
		out = append(out, n.literals[i]...)
		out = append(out, indexValue(value(i))...)
	}
	return append(out, n.literals[len(n.keys)]...)
}

// indexValue makes a value valid in an index name. A value that has to be changed gets a part of its checksum, so
// that two tenants never share an index, and so does one that looks like the result for another value.
func indexValue(value string) string {
	if value == "" {
		return unknownValue
	}
	clean := strings.TrimLeft(strings.Map(indexRune, value), "-_.")
	if clean == value && len(clean) <= maxIndexValue && !reserved(clean) {
		return clean
	}
	sum := sha256.Sum256([]byte(value))
	suffix := hex.EncodeToString(sum[:4])
	if clean == "" {
		return suffix
	}
	return clean[:min(len(clean), maxIndexValue)] + "-" + suffix
}

// reserved reports whether a value is one that indexValue returns for another value.
func reserved(value string) bool {
	if value == unknownValue {
		return true
	}
	const digits = 8 // of a checksum
	if len(value) < digits || len(value) > digits && value[len(value)-digits-1] != '-' {
		return false
	}
	return strings.Trim(value[len(value)-digits:], "0123456789abcdef") == ""
}

func indexRune(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r - 'A' + 'a'
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		return r
	default:
		return '_'
	}
}

// jsonText escapes text for use between the quotes of a JSON string.
func jsonText(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil { // can't be: a string always marshals
		return text
	}
	return string(quoted[1 : len(quoted)-1])
}
