// Package fetch is the fetcher: it brings a document from a URL into the
// document store and releases it when the step is undone.
//
//	http, https  => streamed, decoded, limited; addresses checked at each connect
//	file         => read, if it lies under an allowed directory
//
// Nothing is held whole in memory, and a document appears in the store whole or
// not at all. A fetch takes as long as its context lets it; in between, each
// wait has a limit of its own in [Config].
//
// # What a server answers
//
//	200 and other 2xx           => the document; an empty body is an empty document
//	202                         => not ready yet: unavailable
//	206, 226                    => a part that nobody asked for: http_status
//	301, 302, 303, 307, 308     => followed
//	408, 425, 429, 5xx          => unavailable, with the delay of Retry-After
//	everything else             => http_status
//
// A redirect is followed to http and https, never from https to http, and takes
// the user information of the URL along only while scheme, host and port stay
// the same. A body that ends early is no document. The end of an HTTP/1.0 body
// without Content-Length cannot be told from a cut; it is taken as the end.
//
// # Which addresses
//
// The check is on the address a connection is made to, after DNS, so that
// neither a name that changes, nor a redirect, nor an odd spelling gets around it.
// Public addresses may be reached on [Config.Ports], those in [Config.AllowNets]
// on any port, all others not at all. An IPv4 address inside an IPv6 one (mapped,
// or behind NAT64) is judged as that IPv4 address. Proxies of the environment
// are not used.
//
// # Failures
//
//	code                => meaning                                                   => retryable
//	bad_url             => the URL cannot be read, or has a scheme of no use         => no
//	address_refused     => the address or port is not allowed                        => no
//	file_refused        => the file is not under an allowed directory, or no file    => no
//	redirect_refused    => too many redirects, or one that must not be followed      => no
//	not_found           => 404 or 410; there is no such file                         => no
//	http_status         => any other status that a repetition would meet again       => no
//	host_not_found      => the name servers say that the host does not exist         => no
//	tls                 => the certificate is not valid for the host; no TLS         => no
//	bad_encoding        => an unknown content coding, or too many of them            => no
//	too_large           => the document is over [Config.MaxDocument]                 => no
//	decompression_bomb  => the document grows over [Config.MaxRatio]                 => no
//	unavailable         => 202, 408, 425, 429 or 5xx                                 => yes
//	network             => no connection, a broken one, or no HTTP on it             => yes
//	timeout             => no connection, no answer or no further byte in time       => yes
//	broken_body         => the body was cut short, or does not decode                => yes
//	store_full          => the document store has no room                            => yes
//
// After each of them there is no document. Any other error, such as that of a
// store that does not answer, is retryable and carries no code. When the context
// ends the error is the context's, and what it means is left to the caller.
//
// A host name that does not exist is taken at its word: far more are mistyped
// than are about to be registered. A resolver that cannot answer is a network
// failure and is tried again.
//
// Messages name the URL without user information, fragment, and the values of
// query parameters that look like secrets; so does the URL of the document.
package fetch
