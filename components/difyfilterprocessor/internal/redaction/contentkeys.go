// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "maps"

// contentKeys are the attributes with content of users and models. Dify's community edition has no switch for them.
var contentKeys = map[string]string{
	"gen_ai.prompt":              ActionDrop,
	"gen_ai.prompt.*":            ActionDrop,
	"gen_ai.completion":          ActionDrop,
	"gen_ai.completion.*":        ActionDrop,
	"gen_ai.input.messages":      ActionDrop,
	"gen_ai.output.messages":     ActionDrop,
	"gen_ai.system_instructions": ActionDrop,
	"gen_ai.tool.call.arguments": ActionDrop,
	"gen_ai.tool.call.result":    ActionDrop,
	"gen_ai.tool.definitions":    ActionDrop,
	"input.value":                ActionDrop,
	"output.value":               ActionDrop,
	"retrieval.query":            ActionDrop,
	"retrieval.document":         ActionDrop,
	"retrieval.documents":        ActionDrop,
	"http.request.body":          ActionDrop,
	"http.response.body":         ActionDrop,
	"messaging.message.body":     ActionDrop,
	"db.query.parameter.*":       ActionDrop,
	"inputs":                     ActionDrop, // this and the following ones are from Dify's JSON log lines
	"outputs":                    ActionDrop,
	"query":                      ActionDrop,
	"prompt":                     ActionDrop,
	"answer":                     ActionDrop,
}

// ContentKeys returns the keys that are redacted by default, with their action. A key that ends in * is a prefix.
func ContentKeys() map[string]string { return maps.Clone(contentKeys) }
