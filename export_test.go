package pipesecrets

import "context"

// Intact is intact, which only sweeps ask.
func (s *Service) Intact(ctx context.Context) error { return s.intact(ctx) }
