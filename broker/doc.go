// Package broker runs a nats-server inside the process, for those who want
// Segue without installing anything.
//
// It is an ordinary JetStream server on an ordinary data directory:
//
//	<dir>/jetstream/  => streams and consumers, as nats-server lays them out
//	<dir>/lock        => held by the process that has the directory open; holds its pid
//
// Every message is synced to disk before it is acknowledged. The default of
// nats-server, a sync every two minutes, loses acknowledged messages in a power
// cut, and whole streams with them.
//
// The server is reached in process, through [Server.Connect]. With an address
// to listen on it can be reached by the nats CLI too; it asks for no password,
// so it listens on a loopback address unless told otherwise.
package broker
