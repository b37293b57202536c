package lock

// holders are the nodes that can have keys of a slot, by address: its owner, and where its keys are on
// their way to, if they are.
type holders struct{ owner, target string }

// A slotWalk is how far a scan has seen the keys of one slot, those that stand there all the time.
//
// SCAN gives every key that its node has from the beginning to the end of the walk there ("Scan
// guarantees" of https://redis.io/docs/latest/commands/scan/). The layout is read before and after each
// walk. If a slot was a node's before and after the walk of it, and on its way to no other, its keys have
// all been seen. If it was on its way, those that had not left when the walk ended have; the others are at
// the target by then, and are seen by a walk there that begins after that.
type slotWalk struct {
	holders
	seen seen
}

// seen is which of the holders have been walked since they have been that.
type seen int8

const (
	unseen    seen = iota // not the owner
	ownerSeen             // and not the target
	allSeen
)

// next is the node to walk next, or "" if there is nothing left to see, or nobody has it.
func (s *slotWalk) next() string {
	switch s.seen {
	case unseen:
		return s.owner
	case ownerSeen:
		return s.target
	}
	return ""
}

// update is told who has the slot now, and which nodes were walked since it was told that before, in turn.
func (s *slotWalk) update(now holders, walked []string) {
	if s.seen == allSeen {
		s.holders = now
		return
	}
	stays := s.owner == now.owner && (s.target == "" || s.target == now.target)
	arrives := s.target != "" && now == holders{owner: s.target}
	if !stays && !arrives { // whatever was seen of it, the rest may be anywhere but there
		*s = slotWalk{holders: now}
		return
	}
	target := s.target
	if stays {
		target = now.target
	}
	for _, addr := range walked {
		if s.seen == unseen && addr == s.owner {
			s.seen = ownerSeen
		} else if s.seen == ownerSeen && addr == target {
			s.seen = allSeen
		}
	}
	switch {
	case s.seen == ownerSeen && target == "":
		s.seen = allSeen
	case s.seen != allSeen && arrives:
		s.seen = unseen // the target is the owner, and still has to be walked
	}
	s.holders = now
}
