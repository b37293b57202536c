package lock

import (
	"fmt"
	"slices"
	"time"
)

// A Standing is what stands under a key.
type Standing string

const (
	Free      Standing = "free"       // nothing
	Claimed   Standing = "claimed"    // a claim whose lease is live
	Abandoned Standing = "abandoned"  // a claim whose lease has ended
	Valued    Standing = "value"      // a value, committed or foreign
	OtherType Standing = "other type" // a list, a hash or the like: nothing of this package's
)

// Never is the time after which a key that doesn't expire is forgotten.
const Never time.Duration = -1

// A Sight is what Inspect has seen under a key at one moment, by one reading.
type Sight struct {
	Key      string // the Redis key
	Node     string // by Scan: the address of the primary that has it
	Standing Standing

	Claim      Claim         // if it is Claimed or Abandoned
	Left       time.Duration // of the lease, if it is Claimed: until then, unless it is renewed
	Remembered time.Duration // until Redis forgets the key, or Never

	Size int64     // bytes of the value; 0 for another type than a string
	Head string    // the first bytes of the value
	At   time.Time // of the reading, by Redis's clock

	tail string // the last bytes of the value
}

// A rawSight is a Sight as look.lua tells it.
type rawSight struct {
	size       int64
	ttl        int64 // ms
	head, tail string
	at         time.Time
}

// parseSight reads what look.lua says.
func parseSight(v []any) (_ *rawSight, ok bool) {
	if len(v) != 7 {
		return nil, false
	}
	size, ok1 := v[1].(int64)
	ttl, ok2 := v[2].(int64)
	head, ok3 := v[3].(string)
	tail, ok4 := v[4].(string)
	seconds, ok5 := v[5].(int64)
	micros, ok6 := v[6].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return nil, false
	}
	return &rawSight{size, ttl, head, tail, time.Unix(seconds, micros*1000)}, true
}

const (
	noValue   = -1 // rawSight.size of a key that doesn't exist,
	otherType = -2 // and of one that is no string
)

// of is what has been seen, in Go's terms: the same as found in script/claim.lua makes of it.
func (s *rawSight) of(key string) Sight {
	seen := Sight{Key: key, Standing: Valued, Head: s.head, tail: s.tail, At: s.at,
		Size: max(0, s.size), Remembered: time.Duration(s.ttl) * time.Millisecond}
	if s.ttl < 0 {
		seen.Remembered = Never
	}
	switch {
	case s.size == noValue:
		seen.Standing, seen.Remembered = Free, 0
	case s.size == otherType:
		seen.Standing = OtherType
	case s.size == int64(len(s.head)):
		claim, isClaim := parseClaim(s.head)
		if !isClaim {
			break
		}
		seen.Standing, seen.Claim = Abandoned, claim
		if left := time.Duration(s.ttl)*time.Millisecond - claim.Remember; left > 0 {
			seen.Standing, seen.Left = Claimed, left
		}
	}
	return seen
}

// Same tells whether two readings have seen the same thing under the same key: the same claim,
// renewed or not, its lease over or not; or, by its size and by what both have seen of it, the same
// value.
func (s Sight) Same(as Sight) bool {
	n := min(len(s.Head), len(as.Head))
	return s.Key == as.Key && s.kind() == as.kind() && s.Size == as.Size &&
		s.Head[:n] == as.Head[:n] && s.tail == as.tail
}

// kind is the standing without what time makes of it.
func (s Sight) kind() Standing {
	if s.Standing == Abandoned {
		return Claimed
	}
	return s.Standing
}

// Identity tells what was seen from whatever else may stand under the key at another time, as Same
// does, if both were seen to the same length.
func (s Sight) Identity() string {
	return fmt.Sprintf("%s %d %d %s%s", s.kind(), s.Size, len(s.Head), s.Head, s.tail)
}

// Fit returns the acts that can be done about it.
func (s Sight) Fit() []Act { return slices.Clone(fitting[s.Standing]) }
