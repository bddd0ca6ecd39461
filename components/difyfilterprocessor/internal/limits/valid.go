// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import "unicode/utf8"

// valid reports whether a text is UTF-8. Most texts are short and ASCII, which isASCII finds in a fraction of the time
// of utf8.ValidString.
func valid(text string) bool { return isASCII(text) || utf8.ValidString(text) }

func isASCII(text string) bool {
	const (
		size = 8
		high = 0x8080808080808080
	)
	if len(text) < size {
		all := byte(0)
		for i := range len(text) {
			all |= text[i]
		}
		return all < utf8.RuneSelf
	}
	all := eight(text[len(text)-size:])
	for ; len(text) >= 4*size; text = text[4*size:] {
		all |= eight(text) | eight(text[size:]) | eight(text[2*size:]) | eight(text[3*size:])
	}
	for ; len(text) >= size; text = text[size:] {
		all |= eight(text)
	}
	return all&high == 0
}

// eight returns the first eight bytes of a text.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
