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
		Description: "Parses JSON, NDJSON, CSV, XML and Parquet documents into records.",
		Work: func(ctx context.Context, env *daemon.Env, config parse.Config) error {
			schemas, err := env.Schemas(ctx)
			if err != nil {
				return err
			}
			config.Schemas, config.Metrics, config.Version = schemas, env.Metrics, daemon.Version()
			service, err := parse.New(config, env.Documents)
			if err != nil {
				return err
			}
			return env.Serve(ctx, service)
		},
	})
}
