// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package lineartest

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	size   = 8 << 10 // bytes of the small text
	factor = 8       // of the large one
	// limit is between the growth of what is linear, factor, and of what is quadratic, factor².
	limit = 3 * factor
	tries = 6 // the fastest counts: other work makes one slower, never faster
)

// parts are what makes a search go far and find nothing: each begins something, and ends nothing.
var parts = []string{
	"a", "0", "9.", " ", "\n", "\r", "\t", ":", "=", ",", "-", "_", "/", `\`, "'", `"`, "`", "(", ")", "[", "]",
	"{", "}", "<", "$", "%", "@", "#", "?", "&", "|", "*", ".", "\x00", "\x1b[", "\x1b[31m", "\xff", "日", "{{",
	"({[", `\"`, `\\`, "''", "/*", "*/", "--", "://", "a:b@", "$1", "%s", `{"a":`, `["`, `[["`, "e1", "1e",
	"key", "token", "password='", "x: ", "[SQL: ", "[parameters: ", "Traceback (most recent call last):\n",
	"  File \"x\", line 1, in f\n", "ValueError: ", "at f(x.js:1:1)\n",
	"During handling of the above exception, another exception occurred:\n", "2026-11-30 10:00:00,000 ",
	"GET / ", "+ Exception", "  | ", "  ^^^\n", "eyJ", "-----BEGIN ", "%20", "&amp;", "x.", "Error", "E: E: ",
	"…",
}

// core are combined with each other, in both orders: some of the pairs, or all with OTELCOL_TEST_SOAK.
var core = []string{
	"a", "1", " ", "\n", ":", "=", "'", `"`, `\`, "(", "[", "{", "}", "]", "<", "/", "://", "@", "--", "/*", "$",
	"key", ".", "\xff", "File \"",
}

// texts returns the texts with the given size, by the part that repeats.
func texts(extra []string) []string {
	all, step := slices.Concat(parts, extra), 13
	if os.Getenv("OTELCOL_TEST_SOAK") != "" {
		step = 1
	}
	for pair := 0; pair < len(core)*len(core); pair += step {
		all = append(all, core[pair/len(core)]+core[pair%len(core)])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Check fails if the time that a scanner takes for a text grows faster than the text. It tries many texts that repeat
// a part, alone and behind a long word; extra are more parts. The build function may make an input of a text.
func Check[T any](t *testing.T, build func(text string) T, scan func(T), extra ...string) {
	t.Helper()
	for _, part := range texts(extra) {
		for _, prefix := range []string{"", "x"} {
			input := func(n int) T {
				text := strings.Repeat(part, n/len(part)+1)
				if prefix != "" { // half of it is one word
					text = strings.Repeat(prefix, n/2) + text[:n/2]
				}
				return build(text)
			}
			if slow := growth(t, input(size), input(factor*size), scan); slow != "" {
				assert.Failf(t, "not linear", "%.40q: %s", part, slow)
			}
		}
	}
}

// CheckText is Check for a scanner of text.
func CheckText(t *testing.T, scan func(string), extra ...string) {
	t.Helper()
	Check(t, func(text string) string { return text }, scan, extra...)
}

// growth returns the times if they do not grow as the size does.
func growth[T any](t *testing.T, small, large T, scan func(T)) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	measure := func(input T) time.Duration {
		start := threadTime(t)
		scan(input)
		return threadTime(t) - start
	}
	measure(small) // the first time is slower
	fastSmall, fastLarge := measure(small), measure(large)
	for try := 0; fastLarge > limit*fastSmall+time.Millisecond; try++ {
		if try == tries {
			return fmt.Sprintf("%s for %d bytes, %s for %d", fastSmall, size, fastLarge, factor*size)
		}
		fastSmall, fastLarge = min(fastSmall, measure(small)), min(fastLarge, measure(large))
	}
	return ""
}

// threadTime returns the processor time of this thread: what other processes do at the same time does not count.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}
