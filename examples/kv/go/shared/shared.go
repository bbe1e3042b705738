// Package shared is what the store's hosts and plugins in Go agree on.
package shared

// The messages and services, generated on Debian with `protobuf-compiler` and `golang-goprotobuf-dev`:
//go:generate protoc --go_out=plugins=grpc:../../.. -I../../proto kv.proto

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Handshake is what a host says to a program before it takes it for a plugin of this store. The same words are in the
// `plugin.toml` of each plugin, for the host in Rust, and in `plugins/rust/src/main.rs`.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "KV_PLUGIN",
	MagicCookieValue: "a store of texts",
}

// Name is that of the set's only plugin.
const Name = "kv"

// Plugin is the store for go-plugin. A host leaves New out.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	New func(broker *plugin.GRPCBroker) KVServer
}

// Store is a plugin as its host sees it.
type Store struct {
	KVClient
	Broker *plugin.GRPCBroker
}

// GRPCServer is called in the plugin.
func (p *Plugin) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	RegisterKVServer(server, p.New(broker))
	return nil
}

// GRPCClient is called in the host.
func (p *Plugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, connection *grpc.ClientConn) (interface{}, error) {
	return &Store{NewKVClient(connection), broker}, nil
}
