// Command parser is the service that parses documents into records; see package parse.
package main

import (
	"context"

	"segue/daemon"
	"segue/services/parser/parse"
)

func main() {
	daemon.Main(daemon.Program[parse.Config]{
		Name:        "parser",
		Description: "Parses JSON, NDJSON and CSV documents into records.",
		Work: func(ctx context.Context, env *daemon.Env, config parse.Config) error {
			service, err := parse.New(config, env.Documents)
			if err != nil {
				return err
			}
			return env.Serve(ctx, service)
		},
	})
}
