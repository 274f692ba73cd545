package jetstream

// Riding returns how many feeds are served by the reading of all partitions.
func (j *Journal) Riding() (n int) {
	j.wide.mu.Lock()
	defer j.wide.mu.Unlock()
	for _, lanes := range j.wide.lanes {
		for _, l := range lanes {
			if l.riding {
				n++
			}
		}
	}
	return n
}
