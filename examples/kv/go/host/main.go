// The host of the store in Go: the same commands as that in Rust, and the same plugins.
//
//	kv-host PLUGIN put KEY VALUE
//	kv-host PLUGIN get KEY
//	kv-host PLUGIN add KEY AMOUNT
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"kv/go/shared"
)

const usage = "usage: kv-host PLUGIN put KEY VALUE | get KEY | add KEY AMOUNT"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(words []string) error {
	if len(words) < 3 {
		return fmt.Errorf(usage)
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  shared.Handshake,
		Plugins:          plugin.PluginSet{shared.Name: &shared.Plugin{}},
		Cmd:              exec.Command(words[0]),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Name: "kv", Level: hclog.Warn, Output: os.Stderr}),
	})
	defer client.Kill()
	connection, err := client.Client()
	if err != nil {
		return fmt.Errorf("%s is no plugin of this host: %w", words[0], err)
	}
	raw, err := connection.Dispense(shared.Name)
	if err != nil {
		return err
	}
	reply, err := obey(raw.(*shared.Store), words[1], words[2:])
	if err != nil {
		return err
	}
	fmt.Println(reply)
	return nil
}

func obey(store *shared.Store, verb string, words []string) (string, error) {
	ctx := context.Background()
	switch {
	case verb == "put" && len(words) == 2:
		_, err := store.Put(ctx, &shared.PutRequest{Key: words[0], Value: words[1]})
		return "kept", said(err)
	case verb == "get" && len(words) == 1:
		reply, err := store.Get(ctx, &shared.GetRequest{Key: words[0]})
		return reply.GetValue(), said(err)
	case verb == "add" && len(words) == 2:
		amount, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return "", fmt.Errorf("%s is no number", words[1])
		}
		// For the time of this call: the broker's server ends with the connection.
		number := store.Broker.NextId()
		go store.Broker.AcceptAndServe(number, func(options []grpc.ServerOption) *grpc.Server {
			server := grpc.NewServer(options...)
			shared.RegisterAdderServer(server, adder{})
			return server
		})
		reply, err := store.Add(ctx, &shared.AddRequest{Key: words[0], Amount: amount, Adder: number})
		return strconv.FormatInt(reply.GetValue(), 10), said(err)
	}
	return "", fmt.Errorf(usage)
}

// A plugin's error in its own words.
func said(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", status.Convert(err).Message())
}

// What plugins call back.
type adder struct{}

func (adder) Sum(_ context.Context, pair *shared.SumRequest) (*shared.SumResponse, error) {
	return &shared.SumResponse{Sum: pair.One + pair.Other}, nil
}
