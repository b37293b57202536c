package grpcadapter

// Fingerprint lets tests forge a record.
var Fingerprint = fingerprint
