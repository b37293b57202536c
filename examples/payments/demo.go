package main

import (
	"net/http"
	"strconv"
	"time"
)

const (
	delayHeader  = "X-Demo-Delay"  // 2s: charge after so long
	panicHeader  = "X-Demo-Panic"  // 1: panic before charging
	statusHeader = "X-Demo-Status" // 503: charge, then answer that instead of 201
)

// demo makes next slow or faulty, as the request's headers ask.
func demo(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := r.Header.Get(delayHeader); s != "" {
			delay, err := time.ParseDuration(s)
			if err != nil || delay < 0 || delay > time.Minute {
				problem(w, http.StatusBadRequest, delayHeader+" must be a duration from 0s to 60s.")
				return
			}
			select {
			case <-time.After(delay):
			case <-r.Context().Done(): // the lease is lost, or was held too long
				problem(w, http.StatusServiceUnavailable, "The payment took too long. Nothing was charged.")
				return
			}
		}
		if s := r.Header.Get(statusHeader); s != "" {
			status, err := strconv.Atoi(s)
			if err != nil || status < 200 || status > 599 {
				problem(w, http.StatusBadRequest, statusHeader+" must be from 200 to 599.")
				return
			}
			w = &faulty{ResponseWriter: w, status: status}
		}
		if r.Header.Get(panicHeader) != "" {
			panic(panicHeader)
		}
		next.ServeHTTP(w, r)
	})
}

// A faulty ResponseWriter answers with status where the handler says 201.
type faulty struct {
	http.ResponseWriter
	status int
	fault  bool
}

func (f *faulty) WriteHeader(status int) {
	if f.fault = status == http.StatusCreated; f.fault {
		f.Header().Del("Location")
		problem(f.ResponseWriter, f.status, "The payment was charged, and then "+statusHeader+" had its way.")
		return
	}
	f.ResponseWriter.WriteHeader(status)
}

func (f *faulty) Write(body []byte) (int, error) {
	if f.fault {
		return len(body), nil
	}
	return f.ResponseWriter.Write(body)
}
