// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"regexp"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// Usage is what the language models of one run, or of one message, used.
type Usage struct {
	Total         int64 // of a run: Dify stores only the sum of input and output
	Reported      bool  // at least one node of the run reported its tokens
	Input, Output int64 // of a message
	Nested        int64 // of workflows called as tools; they are part of Total only if Called
	// Called reports whether the nodes of called workflows are rows of this run, as since Dify 1.18. Before, a called
	// workflow is a run of its own, and only the node that called it reports its usage.
	Called bool
	Prices []Price
	Model  Model // of a message
}

// Price is an amount of money in one currency.
type Price struct {
	Currency string
	Amount   float64
}

// Model names a language model.
type Model struct {
	Name, Provider string
}

// sumTypes are node types whose usage is the sum of what their inner nodes report themselves.
var sumTypes = map[string]bool{"iteration": true, "loop": true}

// ContainsNodes reports whether nodes of a type consist of other nodes.
func ContainsNodes(nodeType string) bool { return sumTypes[nodeType] }

// CallsWorkflows reports whether nodes of a type can consist of the nodes of a called workflow, or of nodes that can.
func CallsWorkflows(nodeType string) bool { return nodeType == toolType || sumTypes[nodeType] }

const (
	toolType         = "tool"
	workflowProvider = "workflow" // the provider type of a tool that is itself a workflow
)

// nodeUsage is the part of execution_metadata that is read. Dify writes a number also as a string, or null.
type nodeUsage struct {
	tokens, price string
	currency      string
	tool          string // the provider type of a tool; "" if the node does not say
}

// parseUsage reports false for text that is no JSON object and for values of the wrong type.
func parseUsage(metadata string) (used nodeUsage, ok bool) {
	object := gjson.Parse(metadata)
	if !object.IsObject() || !gjson.Valid(metadata) {
		return used, false
	}
	ok = true
	object.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "total_tokens":
			used.tokens, ok = number(value)
		case "total_price":
			used.price, ok = number(value)
		case "currency":
			used.currency, ok = value.Str, value.Type == gjson.String || value.Type == gjson.Null
		case "tool_info":
			used.tool = value.Get("provider_type").Str
		}
		return ok
	})
	return used, ok
}

func number(value gjson.Result) (text string, ok bool) {
	switch value.Type {
	case gjson.Null:
		return "", true
	case gjson.Number:
		return value.Raw, true
	case gjson.String:
		_, err := strconv.ParseFloat(value.Str, 64)
		return value.Str, err == nil || value.Str == ""
	default:
		return "", false
	}
}

// AddAll adds the usage of the nodes of a run of an app. It returns the number of nodes that could not be read.
//
// Each call of a model counts once. An iteration, a loop, and a node that calls a workflow report the sum of their
// inner nodes: the first two are left out, since their inner nodes are rows of the run. So is the last, whose inner
// nodes are rows of this run (since Dify 1.18) or of another.
func (u *Usage) AddAll(app string, nodes []source.Node) (unreadable int) {
	var called int64
	for _, node := range nodes {
		before := u.Total
		if !u.Add(node) {
			unreadable++
		}
		if source.IsCalled(app, node.AppID, node.TriggeredFrom) {
			u.Called = true
			called += u.Total - before
		}
	}
	if u.Called {
		u.Nested = called
	}
	return unreadable
}

// Add adds the usage of one node of a run. It reports whether the node could be read.
func (u *Usage) Add(node source.Node) bool {
	used, ok := parseUsage(node.Metadata)
	if !ok {
		return false
	}
	if used.tokens == "" {
		return true // only a nested object has tokens
	}
	u.Reported = true
	tokens, err := strconv.ParseInt(used.tokens, 10, 64)
	if err != nil || tokens < 0 {
		tokens = 0
	}
	switch {
	case sumTypes[node.Type]:
	case node.Type == toolType && (used.tool == "" || used.tool == workflowProvider):
		u.Nested += tokens
	default:
		u.Total += tokens
		u.pay(used.currency, used.price)
	}
	return true
}

func (u *Usage) pay(currency, text string) {
	if amount, err := strconv.ParseFloat(text, 64); err == nil {
		u.Charge(currency, amount)
	}
}

// maxPrice is the maximum price of one call. It keeps a nonsensical value out of a counter that would never recover
// from it.
const maxPrice = 1e9

// Charge adds an amount of money. It ignores an amount that is not positive or not plausible.
func (u *Usage) Charge(currency string, amount float64) {
	if !(amount > 0 && amount < maxPrice) {
		return
	}
	currency = currencyLabel(currency)
	for i := range u.Prices {
		if u.Prices[i].Currency == currency {
			u.Prices[i].Amount += amount
			return
		}
	}
	u.Prices = append(u.Prices, Price{currency, amount})
}

var currencyCode = regexp.MustCompile("^[A-Z]{2,8}$")

// currencyLabel keeps free text from becoming a metric label: the currency of a custom model is whatever its user
// typed.
func currencyLabel(currency string) string {
	if currency == "USD" || currencyCode.MatchString(currency) {
		return currency
	}
	return Other
}
