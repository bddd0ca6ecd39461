// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"bytes"
	"encoding/json"
)

// Item is one document with its action line, in the form in which it is sent.
type Item struct {
	line   []byte // action line and document, each with its newline
	action int    // length of the action line

	// Create reports whether the action is `create`: a document that exists already has then been delivered.
	Create bool
	// DeadLetter reports whether the document goes to the dead-letter index.
	DeadLetter bool
	// Stored reports whether the item was read from storage: its outcome has been counted.
	Stored bool
}

// Place is where an action line puts its document.
type Place struct {
	Create    bool
	Index, ID string
}

// NewItem returns an item that creates a document. An id that is longer than OpenSearch accepts is replaced by its
// checksum. The document must be JSON without a newline.
func NewItem(index, id string, document []byte) Item {
	line := []byte(`{"create":{"_index":"` + jsonText(index) + `","_id":"`)
	line = append(line, boundedID([]byte(jsonText(id)))...)
	line = append(line, "\"}}\n"...)
	action := len(line)
	line = append(append(line, document...), '\n')
	return Item{line: line, action: action, Create: true}
}

// ActionLine returns the action line without its newline.
func (i Item) ActionLine() []byte { return i.line[:i.action-1] }

// Document returns the document without its newline.
func (i Item) Document() []byte { return i.line[i.action : len(i.line)-1] }

// Index returns the index in the action line.
func (i Item) Index() string {
	place, _ := ParsePlace(i.ActionLine()) // always a line of ours
	return place.Index
}

// Join returns the body of a bulk request that sends these items.
func Join(items []Item) []byte {
	size := 0
	for _, i := range items {
		size += len(i.line)
	}
	body := make([]byte, 0, size)
	for _, i := range items {
		body = append(body, i.line...)
	}
	return body
}

// Restore is the inverse of Join: it reads items from a body that storage has kept. Those for deadLetterIndex are dead
// letters.
func Restore(body []byte, deadLetterIndex string) ([]Item, error) {
	var items []Item
	for len(body) > 0 {
		action, rest := CutLine(body)
		doc, after := CutLine(rest)
		if len(action) == 0 || len(doc) == 0 {
			return nil, errOddLines
		}
		place, err := ParsePlace(action)
		if err != nil {
			return nil, err
		}
		length := len(action) + 1 + len(doc) + 1
		if length > len(body) {
			return nil, errOddLines
		}
		items = append(items, Item{
			line:       body[:length:length],
			action:     len(action) + 1,
			Create:     place.Create,
			DeadLetter: place.Index == deadLetterIndex,
		})
		body = after
	}
	return items, nil
}

// ParsePlace reads an action line.
func ParsePlace(action []byte) (Place, error) {
	var parsed map[string]struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	if json.Unmarshal(action, &parsed) != nil || len(parsed) != 1 {
		return Place{}, errNotAction
	}
	var p Place
	for verb, meta := range parsed {
		p = Place{Create: verb == actionCreate, Index: meta.Index, ID: meta.ID}
	}
	return p, nil
}

// CutLine returns the first line of a body without its newline, and what follows it.
func CutLine(body []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(body, []byte{'\n'})
	return line, rest
}
