// Package httpclient makes HTTP calls safe to repeat, and repeats them:
//
//	client := &http.Client{Transport: &httpclient.Transport{}}
//	resp, err := client.Post(url, "application/json", body)
//	if errors.Is(err, httpclient.ErrOutcomeUnknown) {
//		// It may have been done or not: call again with the error's Key, never with another key.
//	}
//	if err != nil {
//		return err
//	}
//	defer resp.Body.Close()
//	fmt.Println(httpclient.ReplyOf(resp).Replayed) // was it done now, or by an earlier try?
//
// A [Transport] gives each call one idempotency key, and sends the same bytes with that key until
// it has an answer or no time left. [ReplyOf] tells whether the answer was replayed, and
// [ErrOutcomeUnknown] says that nobody can know what was done. With [NewKey] and [WithKey], a call
// survives a restart of its caller.
//
// It works with any API that takes such keys. docs/clients.md says what other clients do with which
// answer.
//
// # What belongs here
//
// This package owns the client's side of a call: its key, its tries and waits, and what an answer
// means for the key. It knows servers only by the words that package dialect recognises, and must
// not know httpadapter, replay or Redis: a program that imports it links the standard library and
// package dialect. Its behaviour is tested beside the code (make test-httpclient), and against the
// server half in integration/httpclient.
package httpclient
