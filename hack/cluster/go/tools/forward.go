package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// forwardMain carries connections from sockets that were opened in the host's network namespace
// (inherited as file descriptors) to addresses inside the cluster's, in which this process runs.
// Each argument is FD=HOST:PORT.
func forwardMain(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: tools forward FD=HOST:PORT…")
	}
	failed := make(chan error)
	for _, arg := range args {
		listener, target, err := parseForward(arg)
		if err != nil {
			return err
		}
		go func() { failed <- accept(listener, target) }()
	}
	return <-failed
}

func parseForward(arg string) (net.Listener, string, error) {
	number, target, found := strings.Cut(arg, "=")
	fd, err := strconv.Atoi(number)
	if !found || err != nil {
		return nil, "", fmt.Errorf("%q is not FD=HOST:PORT", arg)
	}
	listener, err := net.FileListener(os.NewFile(uintptr(fd), target))
	if err != nil {
		return nil, "", fmt.Errorf("file descriptor %d: %w", fd, err)
	}
	return listener, target, nil
}

func accept(listener net.Listener, target string) error {
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			go carry(conn.(*net.TCPConn), target)
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			time.Sleep(10 * time.Millisecond) // a burst: connections wait in the backlog meanwhile
		default:
			return err
		}
	}
}

func carry(client *net.TCPConn, target string) {
	conn, err := net.DialTimeout("tcp", target, 10*time.Second)
	if err != nil {
		log.Printf("%s: %v", target, err)
		_ = client.SetLinger(0) // the client sees a reset, not an empty answer
		_ = client.Close()
		return
	}
	server := conn.(*net.TCPConn)
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); pump(server, client) }()
	go func() { defer both.Done(); pump(client, server) }()
	both.Wait()
	_ = client.Close()
	_ = server.Close()
}

// pump copies one direction and passes its end on: a half-close as a half-close, an error as a reset.
func pump(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.SetLinger(0)
		_ = from.SetLinger(0)
		_ = to.Close()
		_ = from.Close()
		return
	}
	_ = to.CloseWrite()
}
