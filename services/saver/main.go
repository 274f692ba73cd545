// Command saver is the service that saves records to a database, and the catalog,
// which knows what is saved there; see package save.
package main

import (
	"context"

	"segue/daemon"
	"segue/services/saver/save"
)

// config adds to the service's own flags the one that says where it saves.
type config struct {
	Database string      `help:"Where records are saved: sqlite:PATH or postgres://… ." env:"SEGUE_DATABASE" default:"sqlite:.segue/segue.db" placeholder:"URL"`
	Save     save.Config `embed:""`
}

func main() {
	daemon.Main(daemon.Program[config]{
		Name:        "saver",
		Description: "Saves records to SQLite or PostgreSQL, and takes them back.",
		Work:        work,
	})
}

func work(ctx context.Context, env *daemon.Env, c config) error {
	db, err := save.Open(ctx, c.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	env.ReadyWhen(db.Ping)
	c.Save.Metrics, c.Save.Version = env.Metrics, daemon.Version()
	service, err := save.New(c.Save, db, env.Documents)
	if err != nil {
		return err
	}
	return env.Serve(ctx, service, save.NewCatalog(db))
}
