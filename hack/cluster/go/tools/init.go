package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// initMain is process 1 of the cluster's namespaces. It holds them open and buries the orphans
// (containerd detaches one shim per pod). When it ends, the kernel kills everything inside and
// drops the namespaces with their mounts: that is what makes taking a cluster down complete.
func initMain(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: tools init HOSTNAME")
	}
	if err := syscall.Sethostname([]byte(args[0])); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	waitAndReap()
	return nil
}

// pauseMain is the process that keeps a pod's namespaces alive.
func pauseMain([]string) error {
	waitAndReap()
	return nil
}

func waitAndReap() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-stop:
			return
		case <-children:
			for {
				pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
				if err != syscall.EINTR && (err != nil || pid <= 0) {
					break
				}
			}
		}
	}
}
