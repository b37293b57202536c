package replay

import "context"

// Do runs work once for each request, and returns its value every time. It is Engine.Do for work that
// returns a value of its own type.
//
// T must be a type that a record can keep: package cache lists, under Values, what comes back as
// something else. A value that can't be encoded is not kept: the error is a *cache.EncodeError, and
// retries get ErrReplayUnavailable, for the work has been done.
//
// An error of the work is returned as it is and not stored: the next request runs again, as the next
// attempt, or as the first if the error is marked by Clean.
func Do[T any](ctx context.Context, e *Engine, req Request, work func(context.Context) (T, error)) (T, Result, error) {
	var value, none T
	ran := false
	result, err := e.Do(ctx, req, func(ctx context.Context) (Answer, error) {
		ran = true
		var err error
		value, err = work(ctx)
		return Answer{Value: &value}, err
	})
	switch {
	case err != nil:
	case result.Replayed, result.Reconciled:
		value = none // this work may have run, too, and another have been first
		err = result.Decode(&value)
	case !ran:
		err = ErrReplayUnavailable // Reconcile had an answer, and it can't be had from a record
	}
	if err != nil {
		return none, result, err
	}
	return value, result, nil
}
