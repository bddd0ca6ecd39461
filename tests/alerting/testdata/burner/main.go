// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command burner uses all of the CPU that it gets, and 28 MiB of memory, until it is stopped.
package main

func main() {
	memory := make([]byte, 28<<20)
	for i := 0; ; i = (i + 1) % len(memory) {
		memory[i]++
	}
}
