package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/providertest"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// transit is the longest time that a create is under way to the platform: its
// caller may be dead when it arrives. The platform itself is late by at most
// seven eighths of the horizon.
const transit = horizon / 8

// server is the platform's side of the wire.
type server struct {
	platform *providertest.Platform
	driver   provider.Provider
	aws      *awsServer
	calm     atomic.Bool
}

// servePlatform answers on the sockets in dir until the parent is gone, and says
// so when it does.
func servePlatform(dir string, calm bool) error {
	s := &server{}
	config := platformConfig
	if !calm {
		config.Choose = s.choose
	}
	s.platform = providertest.New(config)
	s.driver = s.platform.Driver()
	var err error
	if s.aws, err = serveAWS(dir, calm, &s.calm); err != nil {
		return err
	}
	listener, err := net.Listen("unix", socket(dir))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go s.answer(conn)
	}
}

// choose uses each freedom now and then: what costs the protocol another attempt
// after ten seconds less often, and not at all once the platform is calm.
func (s *server) choose(f providertest.Freedom, n int) int {
	if f == providertest.RemoveLater || f == providertest.StaleProbe {
		if s.calm.Load() || rand.N(8) != 0 {
			return 0
		}
	}
	return rand.N(n)
}

func (s *server) answer(conn net.Conn) {
	defer conn.Close()
	var asked request
	if json.NewDecoder(conn).Decode(&asked) != nil {
		return // whoever asked was killed half-way
	}
	answer, err := s.do(asked)
	var failure *provider.Error
	switch {
	case errors.As(err, &failure):
		answer.Code = failure.Code
	case err != nil:
		answer.Code = provider.Internal
	}
	if json.NewEncoder(conn).Encode(answer) != nil {
		return // killed while it waited
	}
}

// do carries a request out, whatever became of whoever asked.
func (s *server) do(asked request) (answer reply, err error) {
	ctx := context.Background()
	o := asked.Object.object()
	switch asked.Op {
	case "create":
		if !asked.Until.IsZero() && time.Now().After(asked.Until) {
			return reply{}, &provider.Error{Op: asked.Op, Code: provider.Refused}
		}
		time.Sleep(rand.N(transit))
		answer.ID, err = s.driver.Create(ctx, o, func(context.Context) (map[secrets.Name]secrets.Value, error) {
			values := map[secrets.Name]secrets.Value{}
			for _, item := range o.Items {
				if values[item.Name], err = secrets.NewValue([]byte(asked.Digests[item.Name.String()])); err != nil {
					return nil, err
				}
			}
			return values, nil
		})
	case "probe":
		answer.Presence, answer.ID, err = s.driver.Probe(ctx, o)
	case "remove":
		err = s.driver.Remove(ctx, o, asked.ID)
	case "list":
		for listed, err := range s.driver.(provider.Lister).List(ctx, o.Mark) {
			if err != nil {
				return reply{}, err
			}
			answer.Objects = append(answer.Objects, toWire(listed))
		}
	case opObjects:
		for _, there := range s.platform.Objects() {
			answer.Objects = append(answer.Objects, toWire(there.Object))
		}
		for _, name := range s.aws.names() {
			answer.Objects = append(answer.Objects, object{Name: name})
		}
		answer.Coming = s.platform.Coming() + s.aws.fake.Coming()
		answer.Stats, answer.AWS = s.platform.Stats(), s.aws.told()
	case opCalm:
		s.calm.Store(true)
	default:
		err = &provider.Error{Op: asked.Op, Code: provider.Refused}
	}
	return answer, err
}

// dieWithParent ends this process when the other end of its standard input is
// closed, which the parent keeps open as long as it lives.
func dieWithParent() {
	go func() {
		var b [1]byte
		_, _ = os.Stdin.Read(b[:]) // nobody writes: it returns when the parent is gone
		os.Exit(1)
	}()
}
