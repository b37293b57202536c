package lock

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Check finds out whether Redis and the client are fit for what leases and records rest on. It asks
// every primary for its settings (maxmemory-policy, version, mode, role, and replicas if
// Config.Acks wants some), and then does there what a request does, on keys of its own: all
// scripts, by their text and by their digest, a value read back, the channel on which waiters are
// woken, WAIT and ASKING where they will be needed. So the rights of the user that it connects as
// are tried by using them.
//
// The names of its keys begin with prefix, as those of the program's own keys do, so that they lie
// within the patterns that an ACL allows. It deletes them; if it can't, they expire within a
// minute, or twice Config.TTL if that is longer.
//
// It is for a program's start, and takes Config.Timeout at most. What is amiss is logged as a
// warning, one for each setting and node, and so discarded without Config.Logger; with
// Config.Strict it is returned instead, each a *SettingError, which names the cure. What can't be
// asked is amiss, too. If no server answers at all, that is returned in any case: ErrUnavailable,
// which wraps the findings. As every script is loaded on the way, the first requests don't have to
// bring them along.
func (l *Locker) Check(ctx context.Context, prefix string) error {
	all, err := l.probe(ctx, prefix)
	if err != nil {
		return err
	}
	return verdict(l.cfg, all)
}

// Findings does what Check does and returns what is amiss, whatever Config.Strict says, and logs none
// of it: for a program that shows it to somebody. What New has found amiss with the clients is among
// it. The error is ErrUnavailable if no server answers at all.
func (l *Locker) Findings(ctx context.Context, prefix string) ([]*SettingError, error) {
	var all []*SettingError
	for _, p := range l.store.probes(prefix) {
		all = append(all, clientFindings(p.server.client)...)
	}
	found, err := l.probe(ctx, prefix)
	return append(all, found...), err
}

// probe returns what all probes find. The error wraps that, if no server answers.
func (l *Locker) probe(ctx context.Context, prefix string) ([]*SettingError, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	probes := l.store.probes(prefix)
	found := make([][]*SettingError, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() {
			p.run(ctx)
			found[i] = p.findings.close()
		})
	}
	wg.Wait()
	all := slices.Concat(found...)
	if !slices.ContainsFunc(probes, func(p *probe) bool { return p.answered.Load() }) {
		return all, failed("check", fmt.Errorf("%w: %w", ErrUnavailable, joined(all)))
	}
	return all, nil
}
