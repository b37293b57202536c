// Package httpclient makes HTTP calls safe to repeat, and repeats them. A [Transport] gives each call one idempotency
// key, sends the same bytes under it until there is an answer or no time left, and tells by [ReplyOf] whether that
// answer was fresh or replayed, and by [ErrOutcomeUnknown] when nobody can know.
//
//	client := &http.Client{Transport: &httpclient.Transport{}}
//	resp, err := client.Post(url, "application/json", body)
//	if errors.Is(err, httpclient.ErrOutcomeUnknown) {
//		// it may have been done or not: ask again with the error's Key, never with another
//	}
//	fmt.Println(httpclient.ReplyOf(resp).Replayed) // was it done now, or by an earlier try?
//
// It works against any API that takes such keys. [NewKey] and [WithKey] let a call survive a restart of its caller. What
// other clients do with which answer is in docs/clients.md.
//
// # What belongs here
//
// This package owns the client's side of a call: its key, its tries and waits, what its answer means for the key. It
// knows servers by what package dialect can say of their words, and must not know httpadapter, replay or Redis: a
// program that imports it links the standard library and package dialect. How it gets on with the server half is tested
// in integration/httpclient.
package httpclient
