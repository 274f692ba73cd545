package broker

// SyncAlways tells how the running server was set up.
func (s *Server) SyncAlways() bool { return s.opts.SyncAlways }
