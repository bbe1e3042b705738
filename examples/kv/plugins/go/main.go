// The store as a plugin in Go: a file for each key, in the folder KV_DATA or in one of its own.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kv/go/shared"
)

// A key is part of a file's name.
var key = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

type store struct {
	folder string
	broker *plugin.GRPCBroker
	// One Add after the other.
	lock sync.Mutex
}

func (s *store) Put(_ context.Context, request *shared.PutRequest) (*shared.PutResponse, error) {
	return &shared.PutResponse{}, s.write(request.Key, request.Value)
}

func (s *store) Get(_ context.Context, request *shared.GetRequest) (*shared.GetResponse, error) {
	value, err := s.read(request.Key)
	return &shared.GetResponse{Value: value}, err
}

func (s *store) Add(ctx context.Context, request *shared.AddRequest) (*shared.AddResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	value, err := s.read(request.Key)
	if status.Code(err) == codes.NotFound {
		value, err = "0", nil
	}
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "%s is %q, which is no number to add to", request.Key, value)
	}
	connection, err := s.broker.Dial(request.Adder)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "the host's adder %d: %v", request.Adder, err)
	}
	defer connection.Close()
	sum, err := shared.NewAdderClient(connection).Sum(ctx, &shared.SumRequest{One: number, Other: request.Amount})
	if err != nil {
		return nil, err
	}
	return &shared.AddResponse{Value: sum.Sum}, s.write(request.Key, strconv.FormatInt(sum.Sum, 10))
}

func (s *store) path(name string) (string, error) {
	if !key.MatchString(name) {
		return "", status.Errorf(codes.InvalidArgument, "%q is no key: 1 to 64 of a-z, A-Z, 0-9, `-` and `_`", name)
	}
	return filepath.Join(s.folder, name), nil
}

func (s *store) read(name string) (string, error) {
	path, err := s.path(name)
	if err != nil {
		return "", err
	}
	value, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "", status.Errorf(codes.NotFound, "nothing is kept under %s", name)
	}
	return string(value), err
}

// The file is there as a whole or not at all.
func (s *store) write(name, value string) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(s.folder, ".draft-")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	defer draft.Close()
	if _, err := draft.WriteString(value); err != nil {
		return err
	}
	return os.Rename(draft.Name(), path)
}

// Each of the plugins has the same, so that one finds what another has kept.
func folder() (string, error) {
	folder := os.Getenv("KV_DATA")
	if folder == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder to keep anything in: %w; set KV_DATA to one", err)
		}
		folder = filepath.Join(caches, "pitstop-kv")
	}
	return folder, os.MkdirAll(folder, 0o700)
}

func main() {
	folder, err := folder()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	set := &shared.Plugin{New: func(broker *plugin.GRPCBroker) shared.KVServer {
		return &store{folder: folder, broker: broker}
	}}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: shared.Handshake,
		Plugins:         plugin.PluginSet{shared.Name: set},
		GRPCServer:      func(options []grpc.ServerOption) *grpc.Server { return grpc.NewServer(options...) },
	})
}
