// Package containers tests the images and compose.yaml as they are: every
// program in a container of its own, with what they may not do.
//
// It needs a Docker daemon, docker-compose (or docker compose) and some minutes,
// so it runs only if it is asked to:
//
//	SEGUE_CONTAINERS=1         go test ./test/containers   # pulls the base images
//	SEGUE_CONTAINERS=standins  go test ./test/containers   # makes stand-ins for them
//
// The stand-ins (base-images) take the names of the base images, for machines
// that reach no registry.
package containers
