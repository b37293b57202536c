//go:build race

package lock

func init() { raceDetector = true }
