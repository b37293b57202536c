// Package integration proves reprise's promise on a real Redis Cluster in
// containers. It is a module of its own, so that what the proof needs
// (testcontainers, miniredis) never reaches a program that imports reprise.
package integration
