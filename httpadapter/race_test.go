//go:build race

package httpadapter

func init() { raceDetector = true }
