package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
)

// forwarded starts a server that handles each connection with serve, and a forward to it.
func forwarded(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	server := listen(t)
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go serve(conn.(*net.TCPConn))
		}
	}()
	return forwardTo(t, server.Addr().String())
}

func forwardTo(t *testing.T, target string) string {
	t.Helper()
	listener := listen(t)
	go func() { _ = accept(listener, target) }()
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// wantReset accepts a reset while connecting too: it may arrive before Dial returns.
func wantReset(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err == nil {
		defer conn.Close()
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
}

func echoAfterEnd(conn *net.TCPConn) {
	defer conn.Close()
	all, _ := io.ReadAll(conn) // answers only once the client has closed its half
	_, _ = conn.Write(all)
}

func TestHalfCloseReachesTheServerAndTheAnswerComesBack(t *testing.T) {
	conn := dial(t, forwarded(t, echoAfterEnd))
	defer conn.Close()
	_, _ = conn.Write([]byte("question"))
	_ = conn.CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil || string(answer) != "question" {
		t.Fatalf("%q, %v", answer, err)
	}
}

func TestNobodyThereIsAReset(t *testing.T) {
	nobody := listen(t)
	_ = nobody.Close()
	wantReset(t, forwardTo(t, nobody.Addr().String()))
}

func TestAResetIsPassedOn(t *testing.T) {
	wantReset(t, forwarded(t, func(conn *net.TCPConn) {
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}))
}

func TestManyConnectionsAtOnceLoseNothing(t *testing.T) {
	address := forwarded(t, echoAfterEnd)
	failures := make(chan error, 2000)
	var all sync.WaitGroup
	for i := range 2000 {
		all.Add(1)
		go func() {
			defer all.Done()
			conn := dial(t, address)
			defer conn.Close()
			question := fmt.Sprint("question ", i)
			_, _ = conn.Write([]byte(question))
			_ = conn.CloseWrite()
			if answer, err := io.ReadAll(conn); err != nil || string(answer) != question {
				failures <- fmt.Errorf("%q, %v", answer, err)
			}
		}()
	}
	all.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
}
