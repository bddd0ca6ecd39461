// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// plainEvery is the interval between lines where nothing can be refreshed in place.
const plainEvery = 2 * time.Second

// screen shows the table, refreshed in place on a terminal and as plain lines elsewhere.
type screen struct {
	out      io.Writer
	terminal bool
	lines    int // of the last output
	printed  time.Time
}

func newScreen(header []string) *screen {
	s := &screen{out: os.Stdout, terminal: term.IsTerminal(int(os.Stdout.Fd()))}
	fmt.Fprintln(s.out, strings.Join(header, "\n"))
	return s
}

// update shows the current numbers.
func (s *screen) update(phase string, rows []row) {
	if s.terminal {
		s.draw(fit(picture(phase, rows), height()))
		return
	}
	if time.Since(s.printed) >= plainEvery {
		s.printed = time.Now()
		fmt.Fprintln(s.out, plain(phase, rows))
	}
}

// last shows the final numbers.
func (s *screen) last(phase string, rows []row) {
	s.draw(picture(phase, rows))
}

// height returns the lines of the terminal.
func height() int {
	if _, lines, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		return lines
	}
	return 24
}

// fit shortens a picture to less than the terminal's height: what has scrolled away can't be replaced.
func fit(lines []string, height int) []string {
	most := max(height-1, 3)
	if len(lines) <= most {
		return lines
	}
	return append(lines[:most-1:most-1], fmt.Sprintf("… %d more lines at the end", len(lines)-most+1))
}

// draw replaces the last output on a terminal.
func (s *screen) draw(lines []string) {
	if s.terminal && s.lines > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines)
	}
	fmt.Fprintln(s.out, strings.Join(lines, "\n"))
	s.lines = len(lines)
}

func picture(phase string, rows []row) []string {
	lines := append([]string{""}, strings.Split(phase, "\n")...)
	lines = append(lines, fmt.Sprintf("%-30s %-11s %12s %12s", "", "at", "emitted", "arrived"))
	for _, r := range rows {
		mark := ""
		if !r.equal() {
			mark = "  <"
		}
		lines = append(
			lines, fmt.Sprintf("%-30s %-11s %12s %12s%s", r.name, r.where, r.format(r.emitted), r.format(r.arrived), mark),
		)
	}
	return append(lines, "")
}

// plain returns the table in one line: emitted/arrived.
func plain(phase string, rows []row) string {
	var parts []string
	for _, r := range rows {
		if r.brief != "" {
			parts = append(parts, fmt.Sprintf("%s %s/%s", r.brief, r.format(r.emitted), r.format(r.arrived)))
		}
	}
	return strings.ReplaceAll(phase, "\n", "; ") + ": " + strings.Join(parts, ", ")
}
