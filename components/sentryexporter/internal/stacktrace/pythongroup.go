// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import "strings"

// opens reports whether the members of a group follow.
func (p *pythonParser) opens(level int) bool {
	if level == topLevel || p.i >= len(p.lines) {
		return false
	}
	rest, ok := cutIndent(p.lines[p.i], level)
	return ok && strings.HasPrefix(rest, "+-") && groupRule.MatchString(rest[2:])
}

// members reads `+-+---- 1 ----`, a chain, `+---- 2 ----`, a chain, and so on up to a line without a number, which is
// missing if a member is a group itself.
func (p *pythonParser) members(level int, exc *Exception) {
	level += 2
	p.i++
	for {
		if member := p.chain(level); member != nil {
			if member.Type == "" && len(member.Frames) == 0 { // "and 3 more exceptions"
				exc.Notes = append(exc.Notes, member.Message)
			} else {
				exc.Members = append(exc.Members, member)
			}
		}
		if p.i >= len(p.lines) {
			return
		}
		rest, ok := cutIndent(p.lines[p.i], level)
		if !ok || !groupRule.MatchString(rest) {
			return
		}
		p.i++
		if strings.Trim(rest, "+-") == "" {
			return
		}
	}
}
