// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// item is one document with its action line, as it is sent.
type item struct {
	line   []byte // action line and document, each with its newline
	action int    // length of the action line
	create bool   // the action is `create`, so that "exists already" means delivered
	dead   bool   // goes to the dead-letter index
	stored bool   // comes from storage, so that what became of it is counted already
}

func (i item) actionLine() []byte { return i.line[:i.action-1] }

func (i item) document() []byte { return i.line[i.action : len(i.line)-1] }

var (
	errOddLines   = errors.New("opensearch_bulk: a bulk request ends after an action line")
	errNotAction  = errors.New("opensearch_bulk: a line of the bulk request is not an action")
	errBulkAction = errors.New("opensearch_bulk: only the bulk actions `create` and `index` are understood")
	errNoIndex    = errors.New("opensearch_bulk: a bulk action names no index")
)

// rewriter gives documents their place: id, index and day.
type rewriter struct {
	indexKeys       []string
	deadLetterIndex string
	newID           func() string
	now             func() time.Time
}

// exporterAction is an action line as the exporter wrote it. It writes the same line before every document of a request.
type exporterAction struct {
	raw    []byte
	head   []byte // the new line up to `"_index":"`
	id     []byte // its own id, if it has one
	create bool
	index  *indexName
}

// rewrite reads a bulk request and gives its items anew, in the same order. urlIndex is the index in the request's path, if any.
func (r *rewriter) rewrite(body []byte, urlIndex string) ([]item, error) {
	lines := bytes.Count(body, []byte{'\n'}) + 1
	out := make([]byte, 0, len(body)+lines*96)
	ends := make([]item, 0, lines/2+1) // lengths only, since out may move while it grows
	var action exporterAction
	var s scanner
	for len(body) > 0 {
		var line, doc []byte
		if line, body = cutLine(body); len(line) == 0 {
			continue
		}
		if !bytes.Equal(line, action.raw) {
			var err error
			if action, err = r.parseAction(line, urlIndex); err != nil {
				return nil, err
			}
		}
		if doc, body = cutLine(body); len(doc) == 0 {
			return nil, errOddLines
		}
		start := len(out)
		out = r.appendAction(out, &action, doc, &s)
		length := len(out) - start
		out = appendDocument(out, newDocument(doc, s.found))
		ends = append(ends, item{action: length, create: action.create, line: out[start:]})
	}
	return cutItems(ends, out), nil
}

func cutItems(items []item, out []byte) []item {
	for i := range items {
		n := len(items[i].line)
		items[i].line, out = out[:n:n], out[n:]
	}
	return items
}

func cutLine(body []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(body, []byte{'\n'})
	return line, rest
}

func (r *rewriter) parseAction(line []byte, urlIndex string) (exporterAction, error) {
	var parsed map[string]map[string]json.RawMessage
	if json.Unmarshal(line, &parsed) != nil || len(parsed) != 1 {
		return exporterAction{}, errNotAction // the parser's error may quote a document
	}
	action := exporterAction{raw: line}
	for verb, meta := range parsed {
		if verb != "create" && verb != "index" {
			return exporterAction{}, errBulkAction
		}
		action.create = verb == "create"
		action.id = text(meta["_id"])
		name := decoded(meta["_index"])
		if name == "" {
			name = urlIndex
		}
		if name == "" {
			return exporterAction{}, errNoIndex
		}
		action.index = parseIndexName(name, r.indexKeys)
		action.head = fmt.Appendf(nil, `{"%s":{`, verb)
		delete(meta, "_index")
		delete(meta, "_id")
		for key, value := range meta { // routing and the like
			action.head = fmt.Appendf(action.head, `"%s":%s,`, jsonText(key), value)
		}
		action.head = append(action.head, `"_index":"`...)
	}
	return action, nil
}

// appendAction writes the action line of one document. A document that is not JSON gets one as well: OpenSearch will
// refuse that document alone.
func (r *rewriter) appendAction(out []byte, action *exporterAction, raw []byte, s *scanner) []byte {
	s.scan(raw, action.index.wanted)
	doc := newDocument(raw, s.found)

	out = append(out, action.head...)
	out = action.index.appendTo(out, doc.placeholder)
	out = append(out, '-')
	out = appendDay(out, doc.time(), r.now())
	out = append(out, `","_id":"`...)
	start := len(out)
	if out = append(out, action.id...); len(out) == start {
		out = doc.appendID(out)
	}
	if len(out) == start {
		out = append(out, r.newID()...)
	}
	return append(out, "\"}}\n"...)
}

// appendDocument writes the document; a span with its start as `@timestamp`, where the exporter writes the year 1.
func appendDocument(out []byte, doc document) []byte {
	if doc.isSpan && doc.found[pathTimestamp].found() {
		at := doc.found[pathTimestamp]
		out = append(out, doc.raw[:at.start]...)
		out = append(out, doc.value(pathStartTime)...)
		out = append(out, doc.raw[at.end:]...)
	} else {
		out = append(out, doc.raw...)
	}
	return append(out, '\n')
}

// restore reads items that were rewritten before, as storage keeps them.
func (r *rewriter) restore(body []byte) ([]item, error) {
	var items []item
	for len(body) > 0 {
		action, rest := cutLine(body)
		doc, after := cutLine(rest)
		if len(action) == 0 || len(doc) == 0 {
			return nil, errOddLines
		}
		place, err := parsePlace(action)
		if err != nil {
			return nil, err
		}
		length := len(action) + 1 + len(doc) + 1
		if length > len(body) {
			return nil, errOddLines
		}
		items = append(items, item{
			line:   body[:length:length],
			action: len(action) + 1,
			create: place.create,
			dead:   place.index == r.deadLetterIndex,
		})
		body = after
	}
	return items, nil
}

// place is where an action line puts its document.
type place struct {
	create    bool
	index, id string
}

func parsePlace(action []byte) (place, error) {
	var parsed map[string]struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	if json.Unmarshal(action, &parsed) != nil || len(parsed) != 1 {
		return place{}, errNotAction
	}
	var p place
	for verb, meta := range parsed {
		p = place{create: verb == "create", index: meta.Index, id: meta.ID}
	}
	return p, nil
}

// join is the body of a request that sends these items.
func join(items []item) []byte {
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
