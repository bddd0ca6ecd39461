// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// usage is what the language models of one run used.
type usage struct {
	tokens int64
	prices map[string]float64 // by currency
}

// sumTypes are nodes whose usage is the sum of what others say of themselves: the nodes inside of an iteration or a
// loop, and the nodes of a workflow that is used as a tool, whose run is told on its own.
var sumTypes = map[string]bool{"iteration": true, "loop": true, "tool": true}

// nodeUsage is the part of execution_metadata that is read. Dify writes the price as a number or as a string.
type nodeUsage struct {
	TotalTokens json.Number `json:"total_tokens"`
	TotalPrice  json.Number `json:"total_price"`
	Currency    string      `json:"currency"`
}

// addUp sums the nodes' usage by run. It also counts the nodes that cannot be read.
func addUp(nodes []source.Node) (byRun map[string]*usage, unreadable int) {
	byRun = map[string]*usage{}
	for _, node := range nodes {
		used, ok := parseUsage(node.Metadata)
		if !ok {
			unreadable++
			continue
		}
		if used.TotalTokens == "" {
			continue // only something inside of it has tokens
		}
		sum, known := byRun[node.RunID]
		if !known {
			sum = &usage{prices: map[string]float64{}}
			byRun[node.RunID] = sum
		}
		if !sumTypes[node.Type] {
			sum.add(used)
		}
	}
	return byRun, unreadable
}

func parseUsage(metadata string) (nodeUsage, bool) {
	var used nodeUsage
	if err := json.NewDecoder(strings.NewReader(metadata)).Decode(&used); err != nil {
		return nodeUsage{}, false
	}
	return used, true
}

func (u *usage) add(used nodeUsage) {
	if tokens, err := used.TotalTokens.Int64(); err == nil && tokens > 0 {
		u.tokens += tokens
	}
	price, err := strconv.ParseFloat(used.TotalPrice.String(), 64)
	if err == nil && price > 0 && price < maxPrice {
		u.prices[currencyLabel(used.Currency)] += price
	}
}

// maxPrice of one node execution keeps a nonsensical value out of a counter that would never recover from it.
const maxPrice = 1e9

var currencyCode = regexp.MustCompile("^[A-Z]{2,8}$")

// currencyLabel keeps a user's free text, which a custom model's currency is, from becoming a metric label.
func currencyLabel(currency string) string {
	if currencyCode.MatchString(currency) {
		return currency
	}
	return other
}
