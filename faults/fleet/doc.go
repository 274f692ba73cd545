// Package fleet runs the programs of Segue as processes of their own, on
// loopback, gives them work and judges what they made of it. It is for tests.
//
//	Build       => the real programs, and the nats-server that Segue embeds
//	Process     => one of them: started, killed, paused, measured
//	Fleet       => a broker and the programs round it
//	Shelf       => documents on a site, with what ought to become of each
//	Client      => publishes starts until the broker has them, reads the streams
//	Watch       => the journal as it grows
//	Judge       => what there is against what there ought to be
//
// No process outlives the one that started it.
package fleet
