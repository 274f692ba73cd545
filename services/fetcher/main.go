// Command fetcher is the service that fetches documents; see package fetch.
package main

import (
	"context"

	"segue/daemon"
	"segue/services/fetcher/fetch"
)

func main() {
	daemon.Main(daemon.Program[fetch.Config]{
		Name:        "fetcher",
		Description: "Fetches documents by http, https or file URL into the document store.",
		Work: func(ctx context.Context, env *daemon.Env, config fetch.Config) error {
			service, err := fetch.New(config, env.Documents)
			if err != nil {
				return err
			}
			return env.Serve(ctx, service)
		},
	})
}
