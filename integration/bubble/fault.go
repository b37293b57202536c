package bubble

import (
	"math"
	"time"
)

// A Fault befalls one round trip. Its parts apply in the order of the fields.
type Fault struct {
	LoseCommand  bool          // the connection breaks before the command reaches Redis
	DelayCommand time.Duration // the command reaches Redis later, even if its sender has gone
	Meanwhile    func()        // called when the command has taken effect and the reply is on its way
	DelayReply   time.Duration // the reply reaches the machine later
	LoseReply    bool          // the connection breaks after the command took effect
}

// Forever is a delay that doesn't end.
const Forever time.Duration = math.MaxInt64

// The faults that most tests need.
var (
	LoseCommand = Fault{LoseCommand: true}
	LoseReply   = Fault{LoseReply: true}
	Unheard     = Fault{DelayCommand: Forever} // the command never arrives, and the connection stands
	Unanswered  = Fault{DelayReply: Forever}   // the command takes effect, and the connection stands
)

// Meanwhile is the fault-free trip during which something else happens: do is called when the
// command has taken effect and before its reply arrives.
func Meanwhile(do func()) Fault { return Fault{Meanwhile: do} }

// A Command is one of those that a round trip carries.
type Command struct {
	Name string   // as On has it
	Key  string   // in Redis, of our scripts and of commands that have one
	Args []string // of our scripts: ARGV
}
