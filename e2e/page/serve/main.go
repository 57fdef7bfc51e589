//go:build e2e

// Command serve serves the page with made-up data, for working on it:
//
//	go run -tags e2e ./e2e/page/serve -nodes 16
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"vedette.dev/e2e/page"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8099", "address to serve at")
	ui := flag.String("ui", "cmd/vedette/ui", "folder of the page's files")
	nodes := flag.Int("nodes", 16, "nodes of the fleet")
	token := flag.String("token", "", "token to ask for")
	flag.Parse()
	fmt.Println("http://" + *listen + "/")
	f := &page.Fake{UI: *ui, Nodes: *nodes, Token: *token}
	if err := http.ListenAndServe(*listen, f.Handler()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
