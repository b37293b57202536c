package redisurl

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
)

// tlsFiles holds the options about certificates. Its files are PEM.
type tlsFiles struct {
	ca         string // path of the authorities that sign the servers' certificates
	cert, key  string // paths of the client's certificate and its key
	serverName string
	skipVerify bool
}

// config reads the files. Its errors name the option, and not the path. go-redis verifies all nodes
// of a cluster, and all sentinels, against one name: server_name, or the host of the first address.
func (f tlsFiles) config(first string) (*tls.Config, error) {
	host, _, _ := net.SplitHostPort(first)
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.skipVerify}
	if f.serverName != "" {
		c.ServerName = f.serverName
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, &Fault{"option ca_file: " + cause(err), "the path of a file of certificates, PEM"}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &Fault{"option ca_file: no certificate in it", "the path of a file of certificates, PEM"}
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, &Fault{"one of the options cert_file and key_file", "both, or neither"}
	}
	if f.cert == "" {
		return c, nil
	}
	cert, err := os.ReadFile(f.cert)
	if err != nil {
		return nil, &Fault{"option cert_file: " + cause(err), "the path of a client certificate, PEM"}
	}
	key, err := os.ReadFile(f.key)
	if err != nil {
		return nil, &Fault{"option key_file: " + cause(err), "the path of the certificate's key, PEM"}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &Fault{
			"options cert_file and key_file: " + err.Error(),
			"a client certificate and its key, both PEM",
		}
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// cause returns the error of the operating system, without the path.
func cause(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return "it can't be read"
}
