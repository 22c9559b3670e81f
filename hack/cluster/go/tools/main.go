// Small programs that the embedded cluster needs beside Kubernetes. They use the standard library
// only, so that the first process of the cluster's namespaces and of every pod stays tiny.
package main

import (
	"fmt"
	"os"
)

func main() {
	programs := map[string]func([]string) error{
		"init":    initMain,
		"pause":   pauseMain,
		"forward": forwardMain,
	}
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: tools init|pause|forward")
		os.Exit(2)
	}
	if err := programs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
