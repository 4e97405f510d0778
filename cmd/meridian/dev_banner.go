package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"meridian/cmd/meridian/devregion"
)

// writeBanner tells what runs and what to type next.
func writeBanner(w io.Writer, l *devregion.Layout, keys []demoKey, kept bool, took time.Duration) {
	data := "is in a temporary folder and gone at exit"
	if kept {
		data = "is kept in " + l.Dir
	}
	fmt.Fprintf(w, "meridian %s dev mode: data %s. Never for production.\n\n", versionText(), data)
	width := 0
	for _, r := range l.Regions {
		width = max(width, len(r.ID))
	}
	for i, r := range l.Regions {
		for j, n := range r.Nodes {
			label, id := "", ""
			if j == 0 {
				label, id = "region", r.ID
			}
			fmt.Fprintf(w, "  %-8s %-*s     %s   %s\n", label, width, id, n.Endpoint(), n.HTTPEndpoint())
		}
		fmt.Fprintf(w, "  %-8s alias/demo  %s  %s\n", "key", shortID(keys[i].id), keys[i].spec)
	}
	first := l.Regions[0].Nodes[0]
	fmt.Fprintf(w, `
  In another terminal:
    eval "$(meridian dev env)"    # again after each start
    meridian encrypt alias/demo hello

  Official tools work as they are, for example
    aliyun kms Encrypt --KeyId alias/demo --Plaintext aGVsbG8= --endpoint %s --insecure
    (Go, Java, Python, Node, Terraform snippets: meridian dev snippets)

ready in %.2f s
`, first.HTTP, took.Seconds())
}

// shortID shows both ends of an id.
func shortID(id string) string {
	plain := strings.ReplaceAll(id, "-", "")
	if len(plain) < 12 {
		return id
	}
	return plain[:4] + "…" + plain[len(plain)-4:]
}
