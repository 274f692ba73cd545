// Command fetcher is the service that fetches documents; see package fetch.
package main

import (
	"context"

	"segue/daemon"
	"segue/services/fetcher/fetch"
	"segue/services/fetcher/turns"
)

func main() {
	daemon.Main(daemon.Program[fetch.Config]{
		Name:        "fetcher",
		Description: "Fetches documents by http, https, file, s3 or nats-object URL into the document store.",
		Work:        work,
	})
}

func work(ctx context.Context, env *daemon.Env, config fetch.Config) error {
	board, err := turns.Open(ctx, env.Conn)
	if err != nil {
		return err
	}
	config.Board, config.Objects, config.Metrics, config.Version = board, env.Objects, env.Metrics, daemon.Version()
	service, err := fetch.New(config, env.Documents)
	if err != nil {
		return err
	}
	return env.Serve(ctx, service)
}
