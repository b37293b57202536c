package cli

import "github.com/spf13/cobra"

// A selector says which key a command is about.
type selector struct {
	pair
	digest string
}

func (by *selector) flags(c *cobra.Command) {
	by.pair.flags(c)
	c.Flags().StringVar(&by.digest, "digest", "", "in place of scope and key: the 64 hex `digits` of logs and of reprise ls, or the Redis key")
}
