package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	delayHeader  = "X-Demo-Delay"
	deafHeader   = "X-Demo-Deaf"
	panicHeader  = "X-Demo-Panic"
	statusHeader = "X-Demo-Status"
	lateHeader   = "X-Demo-Late-Status"
	sizeHeader   = "X-Demo-Body-Size"
)

// demoHelp is the answer to GET /demo. A program that tests an API from outside reads there which
// headers it may send; it sends none to an API that has no such page.
const demoHelp = `A POST to /payments can ask for trouble with these headers:

X-Demo-Delay: 2s           charge after so long, 0s to 60s
X-Demo-Deaf: 1             and do so even if the lease is lost meanwhile
X-Demo-Panic: 1            panic before charging
X-Demo-Status: 503         answer that, and charge nothing
X-Demo-Late-Status: 503    charge, then answer that instead of 201
X-Demo-Body-Size: 2000000  charge, then answer so many bytes, 0 to 16777216
`

// maxSize is sixteen times the longest answer that is stored by default, in bytes.
const maxSize = 16 << 20

func demoPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, demoHelp)
}

// demo makes next slow or faulty, as the request's headers ask.
func demo(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := r.Header.Get(delayHeader); s != "" {
			delay, err := time.ParseDuration(s)
			if err != nil || delay < 0 || delay > time.Minute {
				problem(w, http.StatusBadRequest, delayHeader+" must be a duration from 0s to 60s.")
				return
			}
			lost := r.Context().Done() // the lease is lost, or was held too long
			if r.Header.Get(deafHeader) != "" {
				lost = nil // like a handler that ignores its context
				r = r.WithContext(context.WithoutCancel(r.Context()))
			}
			select {
			case <-time.After(delay):
			case <-lost:
				problem(w, http.StatusServiceUnavailable, "The payment took too long. Nothing was charged.")
				return
			}
		}
		for _, header := range []string{statusHeader, lateHeader} {
			s := r.Header.Get(header)
			if s == "" {
				continue
			}
			status, err := strconv.Atoi(s)
			if err != nil || status < 200 || status > 599 {
				problem(w, http.StatusBadRequest, header+" must be from 200 to 599.")
				return
			}
			if header == statusHeader {
				problem(w, status, "Nothing was charged, as "+statusHeader+" asks.")
				return
			}
			w = &faulty{ResponseWriter: w, answer: func(w http.ResponseWriter) {
				w.Header().Del("Location")
				problem(w, status, "The payment was charged, and then "+lateHeader+" had its way.")
			}}
		}
		if s := r.Header.Get(sizeHeader); s != "" {
			size, err := strconv.Atoi(s)
			if err != nil || size < 0 || size > maxSize {
				problem(w, http.StatusBadRequest, sizeHeader+" must be from 0 to 16777216.")
				return
			}
			w = &faulty{ResponseWriter: w, answer: func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				w.WriteHeader(http.StatusCreated)
				w.Write(bytes.Repeat([]byte{'.'}, size))
			}}
		}
		if r.Header.Get(panicHeader) != "" {
			panic(panicHeader)
		}
		next.ServeHTTP(w, r)
	})
}

// A faulty ResponseWriter replaces the answer of a handler that says 201.
type faulty struct {
	http.ResponseWriter
	answer func(http.ResponseWriter)
	fault  bool
}

func (f *faulty) WriteHeader(status int) {
	if f.fault = status == http.StatusCreated; f.fault {
		f.answer(f.ResponseWriter)
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
