// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"slices"
	"time"
)

// story is one kind of exchange.
type story func(*Generator, *exchange)

// card is a story with its frequency in a round.
type card struct {
	times int
	story story
}

// round is a repeating sequence of events in Dify. Every kind happens in every round.
var round = []card{
	{8, info},
	{1, unauthorized},
	{1, notFound},
	{2, blocking(askModel)},
	{2, blocking(askDocuments)},
	{3, streaming(askModel)},
	{1, streaming(httpNodeFallsBack)},
	{1, blocking(httpNodeFallsBack)},
	{1, blocking(codeNodeFails)},
	{1, streaming(codeNodeFails)},
	{1, blocking(modelRefuses)},
	{1, streaming(userStops)},
	{2, chatflow},
	{1, scheduled},
	{1, daemonDown},
	{2, healthCheck},
	{1, brokerPolling},
	{1, noScriptError},
	{1, parseErrorEvents},
	{1, parseErrorSpan},
}

// Generator generates exchanges. It is not safe for concurrent use.
type Generator struct {
	random
	World *World

	deck []story
}

// New returns a generator. Equal seeds generate equal exchanges.
func New(seed uint64) *Generator {
	r := newRandom(seed)
	return &Generator{random: r, World: newWorld(r)}
}

// Round returns the number of exchanges after which every kind has happened.
func (*Generator) Round() int {
	n := 0
	for _, c := range round {
		n += c.times
	}
	return n
}

// Next generates the exchange that begins at start.
func (g *Generator) Next(start time.Time) *Exchange {
	if len(g.deck) == 0 {
		g.shuffle()
	}
	next := g.deck[len(g.deck)-1]
	g.deck = g.deck[:len(g.deck)-1]
	x := newExchange(g.random, start)
	next(g, x)
	return x.finish()
}

func (g *Generator) shuffle() {
	for _, c := range round {
		g.deck = append(g.deck, slices.Repeat([]story{c.story}, c.times)...)
	}
	g.Shuffle(len(g.deck), func(i, j int) { g.deck[i], g.deck[j] = g.deck[j], g.deck[i] })
}

// api returns the process that handles the next request.
func (g *Generator) api() *Process {
	return pick(g.random, g.World.API)
}
