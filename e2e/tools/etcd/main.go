// Command etcd is etcd: its own module cannot be installed at a version, since
// it has replacements in it.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
