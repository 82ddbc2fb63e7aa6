// A server and four clients, each in a goroutine: the runtime moves them between threads, and waits with epoll.
package main

import (
	"fmt"
	"io"
	"net"
	"sync"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	listener := must(net.Listen("tcp4", "127.0.0.1:0"))
	var all sync.WaitGroup
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer all.Done()
				io.Copy(struct{ io.Writer }{connection}, connection)
				connection.Close()
			}()
		}
	}()
	for i := 0; i < 4; i++ {
		all.Add(2) // the client, and its half of the server
		go func(i int) {
			defer all.Done()
			client := must(net.Dial("tcp4", listener.Addr().String()))
			buffer := make([]byte, 100)
			for n := 0; n < 5; n++ {
				must(fmt.Fprintf(client, "client %d, message %d", i, n))
				must(client.Read(buffer))
			}
			client.Close()
		}(i)
	}
	all.Wait()
	listener.Close()
	fmt.Println("done")
}
