// Package httpclient has the tests of httpclient.Transport with the real thing behind it: an
// adapter, its engine, and a Redis that keeps the promise.
package httpclient
