// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import "slices"

// trimmedKey is the key of the number of entries that Fit removed.
const trimmedKey = "otelcol.trimmed"

// Fit reduces data to maxBytes: it truncates long texts first, then removes the largest entries and adds their number.
func (d Data) Fit(maxBytes int) Data {
	if d.size() <= maxBytes {
		return d
	}
	for i := range d {
		if v := &d[i].Value; v.kind == kindText && len(v.text) > maxBytes/16 {
			v.text = Text(v.text, maxBytes/16)
		}
	}
	return d.withoutLargest(maxBytes - len(trimmedKey) - 16)
}

func (d Data) withoutLargest(maxBytes int) Data {
	size := d.size()
	if size <= maxBytes {
		return d
	}
	bySize := make([]int, len(d))
	sizes := make([]int, len(d))
	for i, f := range d {
		bySize[i], sizes[i] = i, len(Data{f}.Append(nil))-1 // a comma instead of both braces
	}
	slices.SortStableFunc(bySize, func(a, b int) int { return sizes[b] - sizes[a] })
	left := map[int]bool{}
	for _, i := range bySize {
		if size <= maxBytes {
			break
		}
		size -= sizes[i]
		left[i] = true
	}
	kept := make(Data, 0, len(d)-len(left)+1)
	for i, f := range d {
		if !left[i] {
			kept = append(kept, f)
		}
	}
	return append(kept, Field{trimmedKey, IntValue(int64(len(left)))})
}

func (d Data) size() int { return len(d.Append(nil)) }
