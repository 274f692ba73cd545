// Command validator is the service that validates documents; see package validate.
package main

import (
	"context"

	"segue/daemon"
	"segue/services/validator/validate"
)

func main() {
	daemon.Main(daemon.Program[validate.Config]{
		Name:        "validator",
		Description: "Checks that documents are well-formed and fit their schema.",
		Work: func(ctx context.Context, env *daemon.Env, config validate.Config) error {
			schemas, err := env.Schemas(ctx)
			if err != nil {
				return err
			}
			config.Schemas, config.Metrics, config.Version = schemas, env.Metrics, daemon.Version()
			service, err := validate.New(config, env.Documents)
			if err != nil {
				return err
			}
			return env.Serve(ctx, service)
		},
	})
}
